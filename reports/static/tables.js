// Sorting, filtering and choosing what the tables show. Rows stay inside their block; the degraded
// input stays on top, and rows that the paper announces stay below their rule.
document.addEventListener("DOMContentLoaded", () => {
  const tools = document.querySelector(".tools");
  if (!tools) return;
  const status = tools.querySelector(".filter-status");
  const field = document.getElementById("filter");
  const measured = tools.querySelector("[name=measured]");
  const switches = [...tools.querySelectorAll("[name=show]")];
  const nothing = document.querySelector(".nothing-found");
  const tables = [...document.querySelectorAll(".paper-table table.numbers")].map(sortable);

  /** One table: its rows in their first order, with what sorting and filtering ask of them. */
  function sortable(table) {
    const section = table.closest("section");
    const own = {
      section,
      name: table.dataset.table,
      title: section.querySelector("h3").textContent.split(":")[0],
      heads: [...table.querySelectorAll("thead .corner, thead .metric")],
      unsorted: section.querySelector(".unsorted"),
      count: section.querySelector(".row-count"),
      blocks: [...table.tBodies].map((body) => ({ body, rows: [...body.rows].slice(1).map(described) })),
      lower: table.dataset.lower.split(" "),
      sorted: "",
    };
    own.heads.forEach((head, position) => {
      const button = element("button", { type: "button", class: "sort" }, ...head.childNodes);
      button.append(element("span", { class: "arrow", "aria-hidden": "true" }));
      head.append(button);
      button.addEventListener("click", () => sortBy(own, position, following(own, position)));
    });
    own.unsorted.addEventListener("click", () => { sortBy(own, 0, null); own.heads[0].querySelector("button").focus(); });
    return own;
  }

  function described(row, position) {
    const label = row.cells[0].querySelector(".label").textContent.trim();
    return {
      row, position,
      text: label.toLowerCase(),
      input: row.classList.contains("degraded-input"),
      announced: row.classList.contains("announced"),
      measured: row.querySelector(".value data") !== null,
    };
  }

  /** What a row is sorted by: its name, or a number; null where it has none. */
  function key(entry, position) {
    if (position === null) return entry.position;
    if (position === 0) return entry.text;
    const cells = [...entry.row.cells];
    const text = cells[position].querySelector(".value data")?.getAttribute("value");
    return text === undefined || text === "" ? null : text === "inf" ? Infinity : Number(text);
  }

  /** The order that a further click on a head gives: best first, worst first, the paper's. */
  function following(own, position) {
    const metric = own.heads[position].dataset.metric;
    const first = position === 0 || own.lower.includes(metric) ? "ascending" : "descending";
    const second = first === "ascending" ? "descending" : "ascending";
    const now = own.heads[position].getAttribute("aria-sort");
    return now === null ? first : now === first ? second : null;
  }

  function sortBy(own, position, order) {
    const head = own.heads[position];
    const by = order === null ? null : position;
    const sign = order === "descending" ? -1 : 1;
    own.heads.forEach((other) => other.removeAttribute("aria-sort"));
    if (order !== null) head.setAttribute("aria-sort", order);
    own.unsorted.hidden = order === null;
    for (const { body, rows } of own.blocks) {
      const keyed = rows.map((entry) => ({ entry, value: key(entry, by) }));
      keyed.sort((a, b) =>
        b.entry.input - a.entry.input || a.entry.announced - b.entry.announced
        || (a.value === null) - (b.value === null)
        || (a.value < b.value ? -sign : a.value > b.value ? sign : a.entry.position - b.entry.position));
      body.append(...keyed.map(({ entry }) => entry.row));
    }
    own.sorted = order === null ? "" : `${own.name}:${head.dataset.column}:${order}`;
    address.set("sort", tables.map((one) => one.sorted).filter(Boolean).join());
    const what = position === 0 ? "method" : head.dataset.metric;
    status.textContent = order === null ? `${own.title}: original order`
      : `${own.title}: ${order} by ${what}, inside each block`;
  }

  /** Show the rows that match; a block's degraded input stays while one of its rows does. */
  function filterAll() {
    const wanted = field.value.trim().toLowerCase();
    let all = 0;
    let shown = 0;
    for (const own of tables) {
      let rows = 0;
      let matching = 0;
      for (const { body, rows: entries } of own.blocks) {
        const methods = entries.filter((entry) => !entry.input);
        const kept = methods.filter((entry) => entry.text.includes(wanted) && (entry.measured || !measured.checked));
        entries.forEach((entry) => { entry.row.hidden = !entry.input && !kept.includes(entry); });
        body.hidden = kept.length === 0;
        rows += methods.length;
        matching += kept.length;
      }
      own.section.hidden = matching === 0;
      own.count.textContent = matching === rows ? "" : `${matching} of ${rows} rows`;
      all += rows;
      shown += matching;
    }
    nothing.hidden = shown > 0 || all === 0;
    status.textContent = shown === all ? `${all} rows in ${tables.length} tables` : `${shown} of ${all} rows shown`;
    address.set("filter", field.value.trim());
    address.set("measured", measured.checked ? "yes" : "");
    document.dispatchEvent(new Event("tables-changed"));
  }

  /** What stands below each number. */
  function showChosen() {
    const chosen = switches.filter((one) => one.checked).map((one) => one.value);
    document.documentElement.dataset.show = chosen.join(" ");
    address.set("show", chosen.join());
    document.dispatchEvent(new Event("tables-changed"));
  }

  /** Rows that are filtered out come back, e.g. because the search has found one. */
  document.addEventListener("show-all-rows", () => {
    field.value = "";
    measured.checked = false;
    filterAll();
  });

  field.value = address.get("filter");
  measured.checked = address.get("measured") === "yes";
  switches.forEach((one) => { one.checked = address.list("show").includes(one.value); });
  for (const text of address.list("sort")) {
    const [name, column, order] = text.split(":");
    const own = tables.find((one) => one.name === name);
    const position = own?.heads.findIndex((head) => head.dataset.column === column) ?? -1;
    if (position >= 0 && ["ascending", "descending"].includes(order)) sortBy(own, position, order);
  }
  field.addEventListener("input", filterAll);
  measured.addEventListener("change", filterAll);
  switches.forEach((one) => one.addEventListener("change", showChosen));
  document.querySelector(".show-all").addEventListener("click", () => document.dispatchEvent(new Event("show-all-rows")));
  tools.hidden = false;
  showChosen();
  filterAll();
});
