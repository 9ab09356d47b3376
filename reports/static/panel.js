// The panel of a cell: built from the page's JSON block when it is opened.

/** The cells of the tables by name; filled when the page is there. */
const cells = {};

document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("cell");
  const block = document.getElementById("cells");
  let content = null;

  const SVG = "http://www.w3.org/2000/svg";
  const drawn = (tag, attributes, ...children) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  /** Values under every protocol, the degraded input's, the paper's, the differences. */
  function values(cell) {
    const head = element("tr", {}, element("th", { scope: "col" }, "Value"),
      ...cell.metrics.map((metric) => element("th", { scope: "col" }, metric)));
    const rows = cell.rows.map(([label, aside, texts, shown]) => {
      const title = element("th", { scope: "row" }, label);
      if (aside) title.append(" ", element("span", { class: "aside" }, aside));
      const row = element("tr", {}, title, ...texts.map(([full, text]) =>
        element("td", {}, full ? element("data", { value: full, title: full }, text) : text)));
      row.classList.toggle("in-table", shown);
      return row;
    });
    return element("table", { class: "protocols" }, element("thead", {}, head), element("tbody", {}, ...rows));
  }

  /** Worst, median and best image, and the comparison of the chosen one. */
  function images(series, chosen) {
    const names = ["Degraded input", "Output", "Ground truth"];
    const picture = (index, role) => {
      const found = index === null ? [] : content.pictures[index];
      const [address, width, height] = found;
      return found.length ? { name: names[role], address, width, height } : null;
    };
    const rows = chosen.map(([word, image, value, ...indices]) =>
      ({ word, image, value, pictures: indices.map(picture) }));
    const stage = element("div", { class: "compare-here" });
    const pairs = element("select", { id: "pair" },
      ...[[0, 1], [1, 2], [0, 2]].filter((pair) => rows.some((row) => pair.every((role) => row.pictures[role])))
        .map((pair) => element("option", { value: pair.join() }, `${names[pair[0]]} and ${names[pair[1]].toLowerCase()}`)));
    const radios = [];
    const show = () => {
      const row = rows[radios.findIndex((radio) => radio.checked)];
      const [left, right] = pairs.value.split(",").map((role) => row.pictures[role]);
      stage.replaceChildren(left && right ? comparison(left, right, `${row.word} ${row.image}`)
        : element("p", { class: "aside" }, "No pictures were kept to compare with."));
    };
    const cards = rows.map((row, position) => {
      const radio = element("input", { type: "radio", name: "chosen-image", value: position });
      radio.checked = position === 0;
      radio.addEventListener("change", show);
      radios.push(radio);
      const thumbs = row.pictures.filter(Boolean).map((one) =>
        element("img", { src: one.address, width: one.width, height: one.height, alt: `${one.name}, ${row.image}`, title: one.name }));
      return element("label", { class: "card" },
        element("span", { class: "card-head" }, radio, " ", element("b", {}, row.word || "kept"), ` ${row.value} ${series.unit}`),
        element("span", { class: "thumbs" }, ...thumbs),
        element("span", { class: "aside" }, row.image));
    });
    pairs.addEventListener("change", show);
    const total = series.values.length;
    const legend = rows.length > 1 ? `Worst, median and best of the ${series.kept} images kept of ${total}`
      : `The only image kept of ${total}`;
    const parts = [element("fieldset", { class: "cards" }, element("legend", {}, legend), ...cards)];
    if (pairs.options.length) {
      parts.push(element("p", { class: "pair" }, element("label", { for: "pair" }, "Compare "), pairs), stage);
      show();
    }
    return parts;
  }

  /** Distribution of the values over the images. */
  function histogram(series) {
    const finite = series.values.filter((value) => value !== null);
    const infinite = series.values.length - finite.length;
    const unit = series.unit ? ` ${series.unit}` : "";
    const beyond = infinite ? `, ${infinite} infinite` : "";
    if (!finite.length) return element("p", {}, `${series.metric} per image: all ${infinite} infinite.`);
    const low = Math.min(...finite);
    const high = Math.max(...finite);
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const number = (value) => value.toFixed(series.digits);
    const said = `${series.metric} of ${finite.length} images, from ${number(low)} to ${number(high)}${unit}, mean ${number(mean)}${unit}${beyond}`;
    // Drawn at the size that it has on the screen, so that its text stays readable on a phone.
    const [width, height, left, bottom] = [Math.min(700, Math.max(240, innerWidth - 60)), 120, 10, 96];
    const bins = high === low ? 1 : Math.min(30, Math.max(5, Math.ceil(Math.sqrt(finite.length) * 1.5)));
    const counts = new Array(bins).fill(0);
    const place = (value) => high === low ? 0.5 : (value - low) / (high - low);
    finite.forEach((value) => { counts[Math.min(bins - 1, Math.floor(place(value) * bins))] += 1; });
    const most = Math.max(...counts);
    const wide = width - 2 * left;
    const bar = wide / bins;
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "histogram", role: "img", "aria-label": said });
    counts.forEach((count, index) => {
      const tall = count / most * (bottom - 16);
      if (count) svg.append(drawn("rect", { class: "bar", x: left + index * bar + 1, width: Math.max(bar - 2, 1), y: bottom - tall, height: tall }));
    });
    const x = left + place(mean) * wide;
    svg.append(
      drawn("line", { class: "axis", x1: left, x2: left + wide, y1: bottom, y2: bottom }),
      drawn("line", { class: "mean", x1: x, x2: x, y1: 10, y2: bottom }),
      drawn("text", { x: left, y: height - 6 }, number(low)),
      drawn("text", { x: left + wide, y: height - 6, "text-anchor": "end" }, `${number(high)}${unit}`),
      drawn("text", { x: left + 2, y: 12 }, `${most} images`.replace(/^1 images/, "1 image")));
    return element("figure", { class: "spread" },
      element("figcaption", {}, `${series.metric} per image: ${finite.length} images, mean ${number(mean)}${unit} (line)${beyond}`), svg);
  }

  function fact(term, kind, text) {
    const value = kind === "text" ? text : element("code", kind === "hash" ? { class: "hash" } : {}, text);
    return element("div", {}, element("dt", {}, term), element("dd", {}, value));
  }

  function command([label, text]) {
    const copy = element("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy: ${label}` }, "Copy");
    copy.hidden = true;
    enableCopy(copy);
    const words = text.split(" ").flatMap((word) => [element("span", {}, word), " "]);
    return element("div", {}, element("dt", {}, label),
      element("dd", {}, element("span", { class: "command" }, element("code", {}, ...words), copy)));
  }

  const read = () => content ??= JSON.parse(block.textContent);

  function open(id) {
    const cell = read().cells[id];
    if (!cell) return;
    const body = dialog.querySelector(".panel-body");
    dialog.querySelector("h2").replaceChildren(cell.title, " ", element("span", { class: "aside" }, cell.aside));
    const parts = [];
    if (cell.problem) parts.push(element("p", { class: "problem" }, cell.problem));
    if (cell.rows) parts.push(values(cell));
    for (const warning of cell.warnings ?? []) parts.push(element("p", { class: "problem" }, warning));
    const series = content.series[cell.series];
    if (series && content.chosen[cell.series]) parts.push(...images(series, content.chosen[cell.series]));
    if (series) parts.push(histogram(series));
    parts.push(
      element("h3", {}, "Redo"),
      element("dl", { class: "panel-facts" }, ...cell.commands.map(command)),
      element("h3", {}, "Run"),
      element("dl", { class: "panel-facts" },
        ...cell.facts.map(([term, text]) => fact(term, "text", text)),
        ...content.runs[cell.run].map((one) => fact(...one))));
    body.replaceChildren(...parts);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    address.set("cell", id);
  }

  cells.open = open;
  cells.content = read;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-cell]");
    if (button) open(button.dataset.cell);
  });
  enableClosing(dialog);
  dialog.addEventListener("close", () => address.set("cell", ""));
  enableCopy(dialog.querySelector(".copy-address"), () => location.href);
  window.addEventListener("load", () => {
    // An address with a cell: its table in sight, its panel open.
    const asked = address.get("cell");
    const place = document.getElementById(asked || "none");
    if (place?.getClientRects().length) { reveal(place); place.focus({ preventScroll: true }); }
    if (asked) open(asked);
    // After the page stands there, so that it opens without waiting for this.
    else (window.requestIdleCallback ?? setTimeout)(read);
  });
});

// The heat map: one stop for the tab key, arrow keys between its cells.
document.addEventListener("DOMContentLoaded", () => {
  const map = document.querySelector(".heat");
  if (!map) return;
  const rows = [...map.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("button")));
  const all = rows.flat().filter(Boolean);
  const step = (button, across, down) => {
    let [y, x] = [rows.findIndex((row) => row.includes(button)), 0];
    x = rows[y].indexOf(button);
    do { y += down; x += across; } while (rows[y]?.[x] === null);
    return rows[y]?.[x];
  };
  all[0].tabIndex = 0;
  map.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const next = move && step(document.activeElement, ...move);
    if (!next) return;
    event.preventDefault();
    all.forEach((one) => { one.tabIndex = -1; });
    next.tabIndex = 0;
    next.focus();
  });
});
