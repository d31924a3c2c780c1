"use strict";
// A click on the head of a column sorts its table; a second click turns the order round.
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const place = head.cellIndex;
    const body = head.closest("table").tBodies[0];
    const number = head.classList.contains("number");
    const down = head.getAttribute("aria-sort") === "descending" || (!number && !head.hasAttribute("aria-sort"));
    const value = (row) => row.cells[place].dataset.sort ?? row.cells[place].textContent;
    const compare = (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
    const rows = Array.from(body.rows).sort((a, b) => {
      const [x, y] = [Number(value(a)), Number(value(b))];
      const order = Number.isNaN(x) || Number.isNaN(y) ? compare(a, b) : x - y;
      return down ? order : -order;
    });
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "ascending" : "descending");
    body.append(...rows);
  });
}
