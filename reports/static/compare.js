// Two pictures on top of each other with a divider that moves by mouse, touch and keys.

const ZOOMS = [1, 2, 4, 8];

/** Show `left` up to the divider and `right` behind it; each is {name, address, width, height}. */
function comparison(left, right, about) {
  const picture = ({ name, address: src }) => element("img", { src, alt: `${name}, ${about}`, draggable: "false" });
  const [under, over] = [picture(right), picture(left)];
  over.className = "over";
  const divider = element("span", { class: "divider", "aria-hidden": "true" });
  const stage = element("div", { class: "compare-stage" }, under, over, divider);
  const view = element("div", {
    class: "compare-view", tabindex: "0", role: "group",
    "aria-label": `${left.name} and ${right.name}: plus and minus zoom, arrow keys move the enlarged picture`,
  }, stage);
  const range = element("input", { type: "range", min: "0", max: "100", value: "50", class: "compare-range", "aria-label": "Divider" });
  const zooms = ZOOMS.map((zoom) => element("button", { type: "button", "aria-pressed": String(zoom === 1), "data-zoom": zoom }, `${zoom}×`));
  const whole = element("div", { class: "compare" },
    element("div", { class: "compare-names", "aria-hidden": "true" }, element("span", {}, left.name), element("span", {}, right.name)),
    view, range,
    element("div", { class: "zooms", role: "group", "aria-label": "Zoom" }, ...zooms));
  whole.style.setProperty("--ratio", right.width / right.height);

  const cut = (percent) => {
    range.value = percent;
    stage.style.setProperty("--cut", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % ${left.name}, the rest ${right.name}`);
  };
  const cutAt = (x) => {
    const box = stage.getBoundingClientRect();
    cut(100 * (x - box.left) / box.width);
  };
  let zoom = 1;
  const zoomTo = (next) => {
    const centre = [0, 1].map((axis) => axis
      ? (view.scrollTop + view.clientHeight / 2) / zoom : (view.scrollLeft + view.clientWidth / 2) / zoom);
    zoom = next;
    stage.style.setProperty("--zoom", zoom);
    view.classList.toggle("zoomed", zoom > 1);
    view.scrollTo(centre[0] * zoom - view.clientWidth / 2, centre[1] * zoom - view.clientHeight / 2);
    zooms.forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.zoom) === zoom)));
  };

  range.addEventListener("input", () => cut(range.value));
  zooms.forEach((button) => button.addEventListener("click", () => zoomTo(Number(button.dataset.zoom))));
  view.addEventListener("keydown", (event) => {
    const step = { "+": 1, "=": 1, "-": -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    zoomTo(ZOOMS[Math.min(Math.max(ZOOMS.indexOf(zoom) + step, 0), ZOOMS.length - 1)]);
  });

  // Dragging moves the divider; in an enlarged picture only its handle does, and the rest pans.
  let drag = null;
  view.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const moves = zoom === 1 || event.target === divider;
    drag = { moves, x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
    if (moves) cutAt(event.clientX);
    if (moves || event.pointerType === "mouse") view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (drag.moves) cutAt(event.clientX);
    else if (event.pointerType === "mouse") view.scrollTo(drag.left + drag.x - event.clientX, drag.top + drag.y - event.clientY);
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => { drag = null; });
  cut(50);
  return whole;
}
