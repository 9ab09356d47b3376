// The search of the page: sections, claims, single numbers; what is chosen is opened.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.getElementById("find");
  const list = document.getElementById("found");
  const status = document.querySelector(".find [role=status]");
  const most = { heading: 6, claim: 4, cell: 8, line: 4 };
  let entries = null;
  let shown = [];
  let chosen = -1;

  const plain = (text) => text.replace(/\s+/g, " ").trim();
  const heading = (node) => plain(node?.textContent ?? "");
  const above = (node) => heading(node.parentElement.closest("section")?.querySelector("h2, h3"));

  /** Everything that can be found, collected when the search is used first. */
  function collect() {
    const found = [];
    for (const head of document.querySelectorAll("main :is(h2, h3)")) {
      const section = head.closest("section");
      const outer = section.parentElement.closest("section");
      found.push({ kind: "heading", words: heading(head), aside: outer ? heading(outer.querySelector("h2")) : "", go: () => reveal(section) });
    }
    for (const claim of document.querySelectorAll(".claim")) {
      found.push({ kind: "claim", words: plain(claim.querySelector(".says").textContent), aside: above(claim), go: () => point(claim) });
    }
    for (const [name, cell] of Object.entries(cells.content().cells)) {
      const numbers = cell.metrics ? cell.rows.find((row) => row[3])[2].map((number, index) => `${cell.metrics[index]} ${number[1]}`).join(", ") : cell.problem;
      found.push({ kind: "cell", words: `${cell.title}, ${cell.aside}`, aside: numbers, go: () => cells.open(name) });
    }
    for (const row of document.querySelectorAll(".entries tbody tr, .parameters tbody tr")) {
      found.push({ kind: "line", words: plain(row.textContent).slice(0, 160), aside: above(row), go: () => point(row) });
    }
    return found.map((entry) => ({ ...entry, text: `${entry.words} ${entry.kind === "cell" ? "" : entry.aside}`.toLowerCase() }));
  }

  function point(target) {
    reveal(target);
    target.classList.add("found-here");
    target.addEventListener("animationend", () => target.classList.remove("found-here"), { once: true });
  }

  function show() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    entries ??= collect();
    const matching = words.length ? entries.filter((entry) => words.every((word) => entry.text.includes(word))) : [];
    const counts = {};
    shown = matching.filter((entry) => (counts[entry.kind] = (counts[entry.kind] ?? 0) + 1) <= most[entry.kind]);
    chosen = -1;
    list.replaceChildren(...shown.map((entry, index) => {
      const item = element("li", { role: "option", id: `found-${index}`, "aria-selected": "false" },
        entry.words, " ", element("span", { class: "aside" }, entry.aside));
      item.addEventListener("click", () => take(index));
      return item;
    }));
    if (words.length && !shown.length) list.append(element("li", { role: "option", class: "no-match", "aria-disabled": "true", "aria-selected": "false" }, "Nothing found"));
    open(words.length > 0);
    status.textContent = words.length ? `${matching.length} found` : "";
  }

  function open(state) {
    list.hidden = !state;
    field.setAttribute("aria-expanded", String(state));
    if (!state) field.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    if (!shown.length) return;
    chosen = (index + shown.length) % shown.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    list.children[chosen].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", `found-${chosen}`);
  }

  function take(index) {
    open(false);
    field.blur();
    document.dispatchEvent(new Event("show-all-rows"));
    shown[index].go();
  }

  field.addEventListener("input", show);
  field.addEventListener("focus", () => { if (field.value) show(); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show();
      choose(chosen + (event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1));
    } else if (event.key === "Enter" && shown.length) {
      event.preventDefault();
      take(Math.max(chosen, 0));
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      open(false);
    }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".find")) open(false); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    field.focus();
  });
  field.closest(".find").hidden = false;
});
