// Sorting and filtering of the tables of numbers. Rows stay inside their block; the degraded input
// stays on top, and rows that the paper announces stay below their rule.
document.addEventListener("DOMContentLoaded", () => {
  const status = document.querySelector(".filter-status");
  const field = document.getElementById("filter");
  if (!field) return;
  const tables = [...document.querySelectorAll(".paper-table table.numbers")].map(sortable);

  /** One table: its rows in their first order, with what sorting and filtering ask of them. */
  function sortable(table) {
    const section = table.closest("section");
    const tools = section.querySelector(".table-tools");
    const own = {
      section,
      title: section.querySelector("h3").textContent.split(":")[0],
      heads: [...table.querySelectorAll("thead .corner, thead .metric")],
      measured: tools.querySelector(".measured-only"),
      unsorted: tools.querySelector(".unsorted"),
      count: tools.querySelector(".row-count"),
      blocks: [...table.tBodies].map((body) => ({ body, rows: [...body.rows].slice(1).map(described) })),
      lower: table.dataset.lower.split(" "),
    };
    tools.hidden = false;
    own.heads.forEach((head, position) => {
      const button = element("button", { type: "button", class: "sort" }, ...head.childNodes);
      button.append(element("span", { class: "arrow", "aria-hidden": "true" }));
      head.append(button);
      button.addEventListener("click", () => sortBy(own, position));
    });
    own.unsorted.addEventListener("click", () => { sortBy(own, null); own.heads[0].querySelector("button").focus(); });
    own.measured.addEventListener("change", filterAll);
    return own;
  }

  function described(row, position) {
    const label = row.cells[0].querySelector(".label").textContent.trim();
    return {
      row, position, label,
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
    const text = entry.row.cells[position].querySelector(".value data")?.getAttribute("value");
    return text === undefined || text === "" ? null : text === "inf" ? Infinity : Number(text);
  }

  function sortBy(own, position) {
    const head = position === null ? null : own.heads[position];
    const metric = head?.querySelector("button").firstChild.textContent.trim();
    const first = position === 0 || own.lower.includes(metric) ? "ascending" : "descending";
    const second = first === "ascending" ? "descending" : "ascending";
    const next = { [first]: second, [second]: null }[head?.getAttribute("aria-sort")];
    const order = head === null ? null : next === undefined ? first : next;
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
    status.textContent = order === null ? `${own.title}: original order`
      : `${own.title}: ${order} by ${position === 0 ? "method" : metric}, inside each block`;
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
        const kept = methods.filter((entry) =>
          entry.text.includes(wanted) && (entry.measured || !own.measured.checked));
        entries.forEach((entry) => { entry.row.hidden = !entry.input && !kept.includes(entry); });
        body.hidden = kept.length === 0;
        rows += methods.length;
        matching += kept.length;
      }
      own.count.textContent = matching === rows ? `${rows} rows` : `${matching} of ${rows} rows`;
      all += rows;
      shown += matching;
    }
    status.textContent = shown === all ? `${all} rows in ${tables.length} tables` : `${shown} of ${all} rows shown`;
  }

  field.addEventListener("input", filterAll);
  field.closest(".filter").hidden = false;
  filterAll();
});
