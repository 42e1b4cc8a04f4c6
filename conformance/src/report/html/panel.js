// What is below a clause when it is open: its cases, and what each implementation made of them.

/** Implementations with the same verdict, reason and values stand together. */
function groups(results) {
  const found = new Map();
  results.forEach((result, column) => {
    if (hidden.has(column)) return;
    const key = result && JSON.stringify([result.verdict, result.reason, result.values, result.change, result.earlier]);
    if (!found.has(key)) found.set(key, { result, columns: [] });
    found.get(key).columns.push(column);
  });
  const badness = ({ result }) => (result ? data.verdicts.indexOf(result.verdict) : -1);
  return [...found.values()].sort((one, other) => badness(other) - badness(one));
}

function verdictOf(result) {
  if (!result) return make("span", "word none", "not run");
  const mark = make("span", "", MARKS[result.verdict]);
  mark.setAttribute("aria-hidden", "true");
  const word = make("span", `word ${result.verdict}`, mark, ` ${result.verdict}`);
  if (!result.change) return word;
  const was = result.earlier ? `${result.change}, was ${result.earlier}` : result.change;
  return make("span", "", word, " ", make("span", `turn ${result.change}`, was));
}

function recorded(values) {
  const list = make("dl", "values");
  for (const [name, value] of values) list.append(make("div", "", make("dt", "", name), make("dd", "", value)));
  return list;
}

function groupRow({ result, columns }) {
  const head = make("th", "", columns.map((column) => names[column]).join(", "));
  head.scope = "row";
  const said = make("td", "said");
  if (result && result.reason) said.append(make("p", "reason", result.reason));
  if (result && result.values.length) said.append(recorded(result.values));
  return make("tr", "", head, make("td", "", verdictOf(result)), said);
}

/** The command that repeats a case, on the implementation that one chooses. */
function command(one) {
  const ran = one.results.map((result, column) => [result, column]).filter(([result]) => result);
  const worst = ran.reduce((worst, next) =>
    data.verdicts.indexOf(next[0].verdict) > data.verdicts.indexOf(worst[0].verdict) ? next : worst);
  const text = (column) => `cornercast-conformance reproduce ${one.word} ${data.implementations[column][1]}`;
  const code = make("code", "", text(worst[1]));
  const select = make("select", "");
  select.setAttribute("aria-label", `Implementation on which ${one.name} is repeated`);
  for (const [, column] of ran) {
    const option = make("option", "", names[column]);
    option.value = column;
    option.selected = column === worst[1];
    select.append(option);
  }
  select.addEventListener("change", () => { code.textContent = text(Number(select.value)); });
  const said = make("span", "copied");
  said.setAttribute("role", "status");
  const button = make("button", "", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy the command that repeats ${one.name}`);
  button.addEventListener("click", () => copy(code, said));
  return make("div", "repeat", "repeat on ", select, code, button, said);
}

async function copy(code, said) {
  const selected = () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  };
  let done = false;
  try {
    await navigator.clipboard.writeText(code.textContent);
    done = true;
  } catch {
    // A page that is a file may not be allowed to; the selection stays for the reader.
    done = selected();
  }
  said.textContent = done ? "copied" : "selected: copy it by hand";
  setTimeout(() => { said.textContent = ""; }, 3000);
}

function caseOf(one) {
  const times = one.results.filter((result) => result).map((result) => result.time);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  const time = least === most ? `${least} ms` : `${least} to ${most} ms`;
  const head = make("h4", "", make("code", "", one.name), " ", make("span", "why", one.why));
  const table = make("table", "results");
  table.append(make("caption", "v", `What each implementation made of ${one.name}`));
  const titles = make("tr", "v", ...["who", "verdict", "why, and what was recorded"].map((title) => {
    const cell = make("th", "", title);
    cell.scope = "col";
    return cell;
  }));
  const widths = make("colgroup", "", make("col", "who"), make("col", "what"), make("col", ""));
  table.append(widths, make("thead", "", titles), make("tbody", "", ...groups(one.results).map(groupRow)));
  return make("section", "case", head, make("p", "about", `role ${one.role} · ${time}`), table, command(one));
}

function fill({ panel, cases: all }) {
  const sheet = panel.querySelector(".sheet");
  sheet.querySelector(".cases")?.remove();
  const head = make("h3", "", all.length === 1 ? "1 case" : `${all.length} cases`);
  sheet.append(make("div", "cases", head, ...all.map(caseOf)));
}

byId("grid").addEventListener("toggle", (event) => {
  const row = rowOf.get(event.target.closest("tr"));
  if (row && row.details.open) fill(row);
  else row?.panel.querySelector(".cases")?.remove();
}, true);

/** Opens the clause that the address names, and shows it. */
function follow() {
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch { /* it stays what it is */ }
  const row = rowOf.get(byId(id));
  if (!row) return;
  if (row.row.hidden) reset();
  row.details.open = true;
  row.row.scrollIntoView({ block: "center" });
  row.details.firstElementChild.focus({ preventScroll: true });
}
