// Columns that a reader hides, per table: whole test sets, or a metric of all of them.
document.addEventListener("DOMContentLoaded", () => {
  const tables = [...document.querySelectorAll(".paper-table table.numbers")].map(hideable);

  function hideable(table) {
    const sets = [...table.querySelectorAll("thead [scope=colgroup]")];
    const metrics = [...table.querySelectorAll("thead .metric")];
    const own = { table, sets, metrics, name: table.dataset.table, hidden: new Set() };
    const menu = table.closest("section").querySelector(".columns");
    const names = [
      ...sets.map((head) => [head.dataset.set, head.firstChild.textContent.trim()]),
      ...[...new Set(metrics.map((head) => head.dataset.metric))].map((metric) => [metric, metric]),
    ];
    own.boxes = names.map(([key, words]) => {
      const box = element("input", { type: "checkbox", value: key });
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) own.hidden.delete(key); else own.hidden.add(key);
        apply(own);
        remember();
      });
      menu.querySelector("div").append(element("label", {}, box, words));
      return box;
    });
    menu.hidden = false;
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    return own;
  }

  function apply(own) {
    const gone = own.metrics.map((head) => own.hidden.has(head.dataset.set) || own.hidden.has(head.dataset.metric));
    own.metrics.forEach((head, index) => { head.hidden = gone[index]; });
    for (const head of own.sets) {
      const left = own.metrics.filter((metric, index) => metric.dataset.set === head.dataset.set && !gone[index]).length;
      head.hidden = left === 0;
      head.colSpan = Math.max(left, 1);
    }
    const left = gone.filter((one) => !one).length;
    for (const body of own.table.tBodies) {
      for (const row of body.rows) {
        if (row.classList.contains("block")) row.cells[0].colSpan = 1 + left;
        else gone.forEach((one, index) => { row.cells[index + 1].hidden = one; });
      }
    }
    own.boxes.forEach((box) => { box.checked = !own.hidden.has(box.value); });
    document.dispatchEvent(new Event("tables-changed"));
  }

  function remember() {
    address.set("hide", tables.filter((own) => own.hidden.size)
      .map((own) => [own.name, ...own.hidden].join(":")).join());
  }

  for (const text of address.list("hide")) {
    const [name, ...keys] = text.split(":");
    const own = tables.find((one) => one.name === name);
    const known = new Set(own?.boxes.map((box) => box.value));
    keys.filter((key) => known.has(key)).forEach((key) => own.hidden.add(key));
    if (own?.hidden.size) apply(own);
  }
});
