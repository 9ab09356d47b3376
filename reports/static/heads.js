// A table that fits stands without a region of its own, so that its head sticks to the window. One
// that is wider scrolls sideways; a copy of its head then stays at the top, for the eye only.
document.addEventListener("DOMContentLoaded", () => {
  const regions = [...document.querySelectorAll(".table-region")];
  const bar = element("div", { class: "floating-head", "aria-hidden": "true" });
  bar.inert = true;
  bar.hidden = true;
  document.body.append(bar);
  let shown = null;

  function measure() {
    for (const region of regions) {
      region.classList.remove("fits");
      const fits = region.scrollWidth <= region.clientWidth + 1;
      region.classList.toggle("fits", fits);
      if (fits) region.removeAttribute("tabindex"); else region.tabIndex = 0;
    }
    shown = null;
    follow();
  }

  function copy(region) {
    const head = region.querySelector("thead");
    const table = element("table", { class: region.querySelector("table").className }, head.cloneNode(true));
    table.querySelectorAll("[id]").forEach((one) => one.removeAttribute("id"));
    // The widths of the table's columns are those of the heads without a span over several.
    const real = [...head.querySelectorAll("th")].filter((one) => !one.hidden && one.scope === "col");
    real.sort((one, other) => one.getBoundingClientRect().left - other.getBoundingClientRect().left);
    const widths = real.map((one) => one.getBoundingClientRect().width);
    table.style.width = `${widths.reduce((sum, width) => sum + width, 0)}px`;
    table.prepend(element("colgroup", {}, ...widths.map((width) => element("col", { style: `width:${width}px` }))));
    const tall = [...head.rows].map((row) => row.getBoundingClientRect().height);
    [...table.rows].forEach((row, index) => { row.style.height = `${tall[index]}px`; });
    bar.replaceChildren(table);
  }

  function follow() {
    const top = parseFloat(getComputedStyle(bar).top) || 0;
    const region = regions.find((one) => {
      if (one.classList.contains("fits") || !one.querySelector(".numbers > thead")) return false;
      const box = one.getBoundingClientRect();
      const tall = one.querySelector("thead").offsetHeight;
      return box.top < top && box.bottom > top + 2 * tall;
    });
    bar.hidden = !region;
    if (!region) { shown = null; return; }
    if (region !== shown) { copy(region); shown = region; }
    const box = region.getBoundingClientRect();
    bar.style.left = `${box.left}px`;
    bar.style.width = `${box.width}px`;
    bar.scrollLeft = region.scrollLeft;
  }

  regions.forEach((region) => region.addEventListener("scroll", follow, { passive: true }));
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", measure);
  let waiting = false;
  document.addEventListener("tables-changed", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; measure(); });
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.querySelector?.(".table-region")) document.dispatchEvent(new Event("tables-changed"));
  }, true);
  measure();
});
