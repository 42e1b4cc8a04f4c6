// The arrow keys go from cell to cell, Enter opens the clause of a cell; a click does the same.
const grid = byId("grid");
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** What is focused of a cell: what opens the clause in its head, or the cell. */
const target = (cell) => cell.querySelector("summary") ?? cell;

function cellsOf(row) {
  return [...row.cells].filter((_, index) => !hidden.has(index - 1));
}

function move(cell, [down, right]) {
  const row = cell.parentElement;
  if (right) return cellsOf(row)[cellsOf(row).indexOf(cell) + right];
  const shown = rows.map((one) => one.row).filter((one) => !one.hidden);
  return cellsOf(shown[shown.indexOf(row) + down] ?? row)[cellsOf(row).indexOf(cell)];
}

function focus(cell) {
  const to = target(cell);
  if (to === cell) {
    cell.tabIndex = -1;
    cell.classList.add("reached");
  }
  to.focus();
}

grid.addEventListener("keydown", (event) => {
  const cell = event.target.closest("tr.clause > *");
  if (!cell || event.target !== target(cell) || event.altKey || event.ctrlKey || event.metaKey) return;
  const next = MOVES[event.key] && move(cell, MOVES[event.key]);
  if (next) {
    event.preventDefault();
    focus(next);
  } else if (cell.tagName === "TD" && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    const row = rowOf.get(cell.parentElement);
    row.details.open = !row.details.open;
  }
});

grid.addEventListener("click", (event) => {
  const cell = event.target.closest("tr.clause > td");
  if (!cell) return;
  const row = rowOf.get(cell.parentElement);
  row.details.open = !row.details.open;
});

byId("theme").addEventListener("change", (event) => {
  document.documentElement.dataset.theme = event.target.value;
});

// The head of the matrix stays below the filters, however many lines these take.
new ResizeObserver(() => {
  const isFixed = getComputedStyle(form).position === "sticky";
  document.documentElement.style.setProperty("--bar", isFixed ? `${form.offsetHeight}px` : "0px");
}).observe(form);

form.hidden = false;
document.querySelector(".theme").hidden = false;
choose();
addEventListener("hashchange", follow);
follow();
