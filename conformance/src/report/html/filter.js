// Which rows are shown. A clause is, if one of its cases fits all filters.
const form = document.querySelector("form.bar");
const hidden = new Set();

/** All that can be searched of a case, made once. */
function text(one) {
  one.text ??= [one.name, one.why, ...one.results.map((result) => (result ? result.reason : ""))].join("\n").toLowerCase();
  return one.text;
}

function textOf(row) {
  row.text ??= `${row.row.querySelector("th").textContent}\n${row.panel.querySelector(".law").textContent}`.toLowerCase();
  return row.text;
}

function wanted() {
  const value = (id) => byId(id)?.value ?? "";
  return {
    words: value("words").toLowerCase().split(/\s+/).filter(Boolean),
    chapter: value("chapter"),
    verdict: value("verdict"),
    change: value("change"),
    differ: byId("differ").checked,
  };
}

function fits(one, row, { words, verdict, change, differ }) {
  if (!words.every((word) => text(one).includes(word) || textOf(row).includes(word))) return false;
  const results = one.results.filter((_, column) => !hidden.has(column));
  const ran = results.filter((result) => result);
  if (verdict === "none" ? ran.length === results.length : !ran.length) return false;
  if (verdict === "rest" && ran.every((result) => result.verdict === "pass")) return false;
  const isNamed = verdict && verdict !== "rest" && verdict !== "none";
  if (isNamed && !ran.some((result) => result.verdict === verdict)) return false;
  if (change && !ran.some((result) => (change === "some" ? result.change : result.change === change))) return false;
  return !differ || new Set(ran.map((result) => result.verdict)).size > 1;
}

const counted = (count, word) => `${count} ${count === 1 ? word : `${word}s`}`;

function filter() {
  const filters = wanted();
  let [clauses, seen] = [0, new Set()];
  const chapters = new Set();
  for (const row of rows) {
    const fitting = filters.chapter === "" || filters.chapter === row.chapter
      ? row.cases.filter((one) => fits(one, row, filters)) : [];
    row.row.hidden = fitting.length === 0;
    if (!fitting.length) continue;
    clauses += 1;
    chapters.add(row.chapter);
    fitting.forEach((one) => seen.add(one));
  }
  for (const chapter of document.querySelectorAll("tr.chapter")) {
    chapter.hidden = !chapters.has(chapter.parentElement.dataset.chapter);
  }
  byId("none").hidden = clauses > 0;
  const all = clauses === rows.length && seen.size === cases.length;
  byId("count").textContent = all
    ? `${counted(clauses, "clause")}, ${counted(seen.size, "case")}`
    : `${clauses} of ${counted(rows.length, "clause")}, ${seen.size} of ${counted(cases.length, "case")}`;
}

/** Shows the columns that are chosen, and fills open clauses anew. */
function choose() {
  const scroll = byId("scroll");
  for (const box of form.querySelectorAll("[name=column]")) {
    if (box.checked) hidden.delete(Number(box.value));
    else hidden.add(Number(box.value));
    scroll.classList.toggle(`without-${box.value}`, !box.checked);
  }
  const shown = names.length - hidden.size;
  for (const { panel } of rows) panel.firstElementChild.colSpan = shown + 1;
  byId("grid").style.setProperty("--columns", shown);
  byId("chosen").textContent = hidden.size ? `${shown} of ${names.length}` : names.length;
  rows.filter((row) => row.details.open).forEach(fill);
  filter();
}

function reset() {
  form.reset();
  choose();
}

let waiting = 0;
form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  if (event.target.name === "column") choose();
  else waiting = setTimeout(filter, event.target.id === "words" ? 120 : 0);
});
form.addEventListener("reset", () => setTimeout(choose));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  filter();
});
