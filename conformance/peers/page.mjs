// The HTML report in a browser, from the folder that `.ci/report-page` fills. The network is off.
//
// node page.mjs FOLDER [NAME]: all checks, or those whose name has NAME in it. Screenshots go to FOLDER/shots.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, only = ""] = process.argv.slice(2);
const required = createRequire(join(resolve(folder), "package.json"));
const { chromium } = required("playwright-core");
const axe = readFileSync(required.resolve("axe-core/axe.min.js"), "utf8");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const DESKTOP = { width: 1440, height: 1000 };
const PHONE = { width: 360, height: 780 };
const profile = mkdtempSync(join(tmpdir(), "report-page-"));
const shots = join(folder, "shots");
mkdirSync(shots, { recursive: true });

let browser;

/** Runs `look` with a page; the page may not complain, ask for anything but its file, or open a dialog. */
async function open(name, look, options = {}) {
  const context = await browser.newContext({ offline: true, viewport: DESKTOP, ...options });
  const url = pathToFileURL(resolve(folder, name)).href;
  const faults = [];
  const page = await context.newPage();
  page.on("console", (message) => faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (request.url().split("#")[0] !== url) faults.push(`request: ${request.url()}`); });
  try {
    await page.goto(url);
    await look(page, url);
    equal(faults, [], "what the page did besides");
  } finally {
    await context.close();
  }
}

function equal(seen, wanted, what) {
  const [one, other] = [JSON.stringify(seen), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: expected ${other}, got ${one}`);
}

function ok(holds, what) {
  if (!holds) throw new Error(what);
}

async function judge(page, what) {
  const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })
    .then(({ violations }) => violations.map(({ id, nodes }) =>
      id + ": " + nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + " " + node.failureSummary).join("; ")))`);
  equal(found, [], `what axe-core finds, ${what}`);
}

const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);
const count = (page) => page.locator("#count").textContent();
const shown = (page) => page.locator("tr.clause:not([hidden])").count();
/** Waits until so many clauses are shown. */
async function rows(page, wanted) {
  for (let tries = 0; tries < 50 && await shown(page) !== wanted; tries += 1) await page.waitForTimeout(100);
  equal(await shown(page), wanted, `the clauses that are shown, of "${await count(page)}"`);
}
const openClause = async (page, id) => {
  await page.locator(`#${id} summary`).click();
  await page.locator(`#${id} + .panel .cases`).waitFor();
};

// Of all implementations that were run before, if some were.
const MATRIX = existsSync(join(folder, "matrix.html")) ? [["matrix.html", "RUN-030"]] : [];

const CHECKS = {
  "axe-core finds nothing": async () => {
    const pages = [["run.html", "RUN-030"], ["changed.html", "RUN-023"], ["verdicts.html", "RUN-030"], ...MATRIX];
    for (const [name, id] of pages) {
      for (const colorScheme of ["light", "dark"]) {
        for (const viewport of [DESKTOP, PHONE]) {
          await open(name, async (page) => {
            const what = `${name} ${colorScheme} ${viewport.width}`;
            await judge(page, what);
            await page.screenshot({ path: join(shots, `${what}.png`) });
            await openClause(page, id);
            await page.locator(".choose summary").click();
            await judge(page, `${what} open`);
            await page.locator(".choose summary").click();
            await page.locator(`#${id}`).scrollIntoViewIfNeeded();
            await page.screenshot({ path: join(shots, `${what} open.png`) });
          }, { colorScheme, viewport });
        }
      }
    }
  },

  "the colours can be chosen": async () => {
    await open("run.html", async (page) => {
      const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await paper();
      await page.selectOption("#theme", "dark");
      ok(await paper() !== light, "dark is as light");
      await page.selectOption("#theme", "light");
      equal(await paper(), light, "light");
    }, { colorScheme: "light" });
  },

  "filters show what fits, and say how much that is": async () => {
    await open("all.html", async (page) => {
      const all = await count(page);
      ok(/^\d{3} clauses, \d{4} cases$/.test(all), `the count is ${all}`);
      await page.fill("#words", "run-030/signals");
      await rows(page, 1);
      ok((await count(page)).startsWith("1 of "), `the count is ${await count(page)}`);
      equal(await page.locator("#count").getAttribute("aria-live"), "polite", "aria-live");
      await page.fill("#words", "no such word anywhere");
      await page.locator("#none").waitFor({ state: "visible" });
      await rows(page, 0);
      await page.click("button[type=reset]");
      await page.waitForFunction((all) => document.getElementById("count").textContent === all, all);

      await page.selectOption("#chapter", { label: "LAY Layer" });
      await page.waitForFunction(() => document.querySelectorAll("tr.chapter:not([hidden])").length === 1);
      const ids = await page.locator("tr.clause:not([hidden])").evaluateAll((rows) => rows.map((row) => row.id));
      ok(ids.length > 10 && ids.every((id) => id.startsWith("LAY-")), `shown are ${ids}`);
      await page.click("button[type=reset]");

      // Without the engines, no clause of the chapter Runtime has a result.
      await page.locator(".choose summary").click();
      await page.uncheck("[name=column][value='2']");
      await page.uncheck("[name=column][value='3']");
      ok(await page.locator("#RUN-030").isHidden(), "RUN-030 is shown");
      ok(await page.locator("#LAY-001").isVisible(), "LAY-001 is not shown");
      equal(await page.locator("#grid thead th:visible").count(), 3, "columns");
      await page.selectOption("#verdict", "none");
      await page.locator("#RUN-030").waitFor({ state: "visible" });
      ok(await page.locator("#LAY-001").isHidden(), "LAY-001 was put to both");
    });
    await open("changed.html", async (page) => {
      await page.check("#differ");
      await rows(page, 1);
      ok(await page.locator("#RUN-023").isVisible(), "RUN-023 does not differ");
      await page.selectOption("#verdict", "xfail");
      await page.locator("#none").waitFor({ state: "visible" });
      await page.click("button[type=reset]");
      await page.selectOption("#verdict", "fail");
      await rows(page, 1);
    });
  },

  "with keys alone: reach a cell, open its clause, copy a command": async () => {
    await open("run.html", async (page) => {
      const focused = () => page.evaluate(() => {
        const { activeElement: element } = document;
        return [element.tagName, element.closest("tr")?.id ?? "", element.id].join(" ");
      });
      await page.keyboard.press("Tab");
      ok(await page.evaluate(() => document.activeElement.matches(".skip")), "the first is not the link to the matrix");
      await page.keyboard.press("Enter");
      for (let steps = 0; steps < 20 && !(await focused()).startsWith("SUMMARY RUN-001"); steps += 1) {
        await page.keyboard.press("Tab");
        const { outlineStyle, outlineWidth } = await page.evaluate(() => {
          const style = getComputedStyle(document.activeElement);
          return { outlineStyle: style.outlineStyle, outlineWidth: style.outlineWidth };
        });
        ok(outlineStyle !== "none" && outlineWidth !== "0px", `the focus of ${await focused()} cannot be seen`);
      }
      await page.keyboard.press("ArrowDown");
      equal(await focused(), "SUMMARY RUN-002 ", "the next row");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowRight");
      equal(await focused(), "TD RUN-002 ", "the second cell");
      await page.keyboard.press("Enter");
      await page.locator("#RUN-002 + .panel .cases").waitFor();
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      equal(await focused(), "SUMMARY RUN-002 ", "the head of the row");
      await page.keyboard.press("Tab");
      ok((await focused()).startsWith("A "), `after the clause comes ${await focused()}`);
      await page.keyboard.press("Tab");
      ok((await focused()).startsWith("SELECT"), `after its link comes ${await focused()}`);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.locator(".copied", { hasText: "copied" }).first().waitFor();
      const command = await page.evaluate(() => navigator.clipboard.readText());
      ok(/^cornercast-conformance reproduce RUN-002\/\S+ --impl runc$/.test(command), `copied is ${command}`);
    }, { permissions: ["clipboard-read", "clipboard-write"] });
  },

  "a clause has its text, its cases, reasons, values and commands": async () => {
    await open("changed.html", async (page) => {
      await openClause(page, "RUN-023");
      const panel = page.locator("#RUN-023 + .panel");
      ok((await panel.locator(".law").textContent()).includes("umask"), "the text of the clause is missing");
      const said = await panel.locator(".case", { hasText: "RUN-023/umask" }).first().textContent();
      for (const words of ["umask: expected 18, got 0", "worse, was pass", "✗ fail", "✓ pass", "outcome", "exited",
        "cornercast-conformance reproduce RUN-023/umask --impl runc"]) {
        ok(said.includes(words), `${words} is missing in ${said}`);
      }
      await page.locator("#RUN-023 td").last().click();
      ok(await panel.isHidden(), "a click on a cell does not close it");
    });
  },

  "each verdict has its mark and its word": async () => {
    await open("verdicts.html", async (page) => {
      const legend = await page.locator(".legend li, .legend dt").count();
      ok(legend >= 9, `the legend has ${legend} verdicts`);
      for (const verdict of ["recorded", "xfail", "skipped", "unsupported", "errored", "xpass", "fail", "false-claim"]) {
        await page.selectOption("#verdict", verdict);
        ok(await shown(page) > 0, `no clause has ${verdict}`);
      }
    });
  },

  "an address opens a clause": async () => {
    await open("run.html", async (page, url) => {
      await page.goto(`${url}#RUN-030`);
      await page.locator("#RUN-030 + .panel .cases").waitFor();
      ok(await page.locator("#RUN-030").isVisible(), "it is not in sight");
    });
  },

  "what is worse stands first, and is marked": async () => {
    await open("changed.html", async (page) => {
      const kinds = await page.locator(".changes summary").allTextContents();
      equal(kinds.map((kind) => kind.trim()), ["▼ Worse than before: 1", "+ Not there before: 1", "− Not there any more: 1"], "kinds");
      ok(await page.locator(".changes li").first().isVisible(), "what is worse is closed");
      equal(await page.locator("tr.clause .turn.worse").count(), 1, "marked cells");
      await page.locator(".changes li a").first().click();
      await page.locator("#RUN-023 + .panel .cases").waitFor();
      await page.selectOption("#change", "worse");
      await rows(page, 1);
    });
  },

  "nothing is wider than a phone": async () => {
    const pages = [["run.html", "RUN-030"], ["changed.html", "RUN-023"], ["all.html", "RUN-001"], ["verdicts.html", "RUN-030"]];
    for (const [name, id] of [...pages, ...MATRIX]) {
      await open(name, async (page) => {
        equal(await width(page), PHONE.width, `${name} closed`);
        await openClause(page, id);
        equal(await width(page), PHONE.width, `${name} open`);
        const sheet = await page.locator(`#${id} + .panel .sheet`).boundingBox();
        ok(sheet.x >= 0 && sheet.x + sheet.width <= PHONE.width, `the clause goes from ${sheet.x} for ${sheet.width}`);
        await page.locator("#scroll").evaluate((scroll) => { scroll.scrollLeft = 1000; });
        const head = await page.locator(`#${id} th`).boundingBox();
        ok(head.x >= 0 && head.x < 20, `the first column is at ${head.x}`);
      }, { viewport: PHONE });
    }
  },

  "the head of the matrix stays in sight": async () => {
    for (const viewport of [DESKTOP, PHONE]) {
      await open("run.html", async (page) => {
        await page.locator("#scroll").evaluate((scroll) => {
          scroll.scrollIntoView({ block: "end" });
          scroll.scrollTop = scroll.scrollHeight;
        });
        ok(await page.locator("#grid tbody tr:visible").last().evaluate((row) => row.getBoundingClientRect().bottom <= innerHeight + 1), "the last row is not in sight");
        const { y, height } = await page.locator("#grid thead th").nth(1).boundingBox();
        ok(y >= 0 && y + height <= viewport.height, `at ${viewport.width} it is at ${y}`);
      }, { viewport });
    }
  },

  "without JavaScript the matrix and the clauses can be read": async () => {
    await open("changed.html", async (page) => {
      ok(await page.locator("form.bar").isHidden(), "there are filters that do nothing");
      ok((await page.locator("#RUN-023 td").last().innerText()).includes("0/1 fail"), "the cell");
      ok(await page.locator("#RUN-023 + .panel").isHidden(), "it is open");
      await page.locator("#RUN-023 summary").click();
      ok(await page.locator("#RUN-023 + .panel .law").isVisible(), "it does not open");
    }, { javaScriptEnabled: false });
  },

  "nothing moves for those who do not want it": async () => {
    for (const [reducedMotion, wanted] of [["reduce", "0s"], ["no-preference", "0.12s"]]) {
      await open("run.html", async (page) => {
        equal(await page.locator("button[type=reset]").evaluate((button) => getComputedStyle(button).transitionDuration),
          wanted, reducedMotion);
      }, { reducedMotion });
    }
  },

  "hostile lines run nothing and break nothing": async () => {
    for (const viewport of [DESKTOP, PHONE]) {
      await open("hostile.html", async (page) => {
        equal(await width(page), viewport.width, "the width");
        for (const summary of await page.locator("tr.clause summary").all()) await summary.press("Enter");
        ok(await page.locator(".case").count() > 50, "the cases are missing");
        equal(await width(page), viewport.width, "the width of what is open");
        const text = await page.locator("main").innerText();
        ok(text.includes("<script>window.ran=1</script>") && text.includes("onerror=window.ran=2"), "the texts are missing");
        equal(await page.evaluate(() => [window.ran ?? 0, document.images.length, document.scripts.length]), [0, 0, 2], "ran");
        equal(await page.locator("a[href^=javascript], a[href^=http]").count(), 0, "links");
        await judge(page, `hostile.html ${viewport.width}`);
      }, { viewport });
    }
  },

  "a large page is quick": async () => {
    await open("all.html", async (page) => {
      const time = await page.evaluate(() => {
        const start = performance.now();
        document.getElementById("words").value = "symlink";
        document.querySelector("form.bar").dispatchEvent(new Event("submit", { cancelable: true }));
        document.body.getBoundingClientRect();
        return performance.now() - start;
      });
      ok(time < 500, `a search took ${time} ms`);
      console.log(`  a search in all cases: ${time.toFixed(0)} ms`);
    });
  },
};

const results = { passed: 0, failed: 0 };
browser = await chromium.launch({ executablePath, args: [...ARGUMENTS, `--crash-dumps-dir=${profile}`] });
try {
  for (const [name, check] of Object.entries(CHECKS).filter(([name]) => name.includes(only))) {
    try {
      await check();
      results.passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      results.failed += 1;
      console.log(`FAILED  ${name}\n        ${error.message}`);
    }
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed || !results.passed ? 1 : 0);
