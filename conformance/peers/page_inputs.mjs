// Makes other result lines of those of a run: LINES WORSE HOSTILE VERDICTS.
import { readFileSync, writeFileSync } from "node:fs";

const [lines, worse, hostile, verdicts] = process.argv.slice(2);
const [header, ...results] = readFileSync(lines, "utf8").trim().split("\n").map((line) => JSON.parse(line));
results.pop();
const write = (file, header, results, footer) => {
  const counts = {};
  for (const { impl, verdict } of results) {
    counts[impl] ??= {};
    counts[impl][verdict] = (counts[impl][verdict] ?? 0) + 1;
  }
  const all = [{ ...header, results: results.length }, ...results, { counts, ...footer }];
  writeFileSync(file, all.map((line) => `${JSON.stringify(line)}\n`).join(""));
};

// One case of the last implementation fails, one is new, one is gone.
const last = header.implementations.at(-1).name;
const changed = results.map((line) => line.impl === last && line.case === "RUN-023/umask"
  ? { ...line, verdict: "fail", reason: "umask: expected 18, got 0" } : line);
const added = { ...changed.at(-1), case: "RUN-099/added", clauses: ["RUN-099"] };
write(worse, header, [...changed.slice(0, -1), added], { result: "not-conformant" });

// Every verdict there is, in one clause or many.
const VERDICTS = ["pass", "recorded", "xfail", "skipped", "unsupported", "errored", "xpass", "fail", "false-claim"];
write(verdicts, header, results.map((line, index) => {
  const verdict = VERDICTS[index % VERDICTS.length];
  return { ...line, verdict, ...(verdict === "pass" ? {} : { reason: `it is ${verdict}` }) };
}), { result: "not-conformant" });

// Whatever runs says so by `window.ran`.
const TEXTS = [
  "</script><script>window.ran=1</script>",
  "\"><img src=x onerror=window.ran=2>",
  "'><svg onload=window.ran=3>",
  "<!--<script>window.ran=4",
  "javascript:window.ran=5",
  "\u0000\u001b[31m\u202e\u2028\ufeff",
  "{{ 7 * 7 }}{% raw %}",
  `${"x".repeat(300)}`,
];
const text = (index) => TEXTS[index % TEXTS.length];
const implementations = header.implementations.map((known, index) => ({
  ...known, name: `${known.name}${text(index)}`, product: text(index + 1), version: text(index + 2),
  homepage: text(4), issues: text(0),
}));
const host = { ...header.host, os: text(0), architecture: text(1), kernel: text(7) };
const filled = results.slice(0, 80).concat(results.filter((line) => line.impl === last).slice(0, 80))
  .map((line, index) => ({
    ...line,
    case: `${line.case}${text(index)}`,
    clauses: [...line.clauses, text(index + 1)],
    impl: implementations[header.implementations.findIndex((known) => known.name === line.impl)].name,
    verdict: index % 3 ? "pass" : "fail",
    reason: text(index + 2),
    values: { [text(index)]: text(index + 3), observed: { [text(index)]: text(index) } },
  }));
const stale = TEXTS.map((text) => ({ impl: text, case: text }));
write(hostile, { ...header, format: text(0), version: text(1), host, implementations }, filled,
  { stale, result: "not-conformant" });
