// The contents: a drawer where there is no room at the side; the section in sight is marked.
document.addEventListener("DOMContentLoaded", () => {
  const contents = document.getElementById("contents");
  const opener = document.querySelector(".open-contents");
  const links = [...contents.querySelectorAll("a")];
  const targets = links.map((link) => document.getElementById(link.hash.slice(1)));

  function drawer(open) {
    contents.classList.toggle("open", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) links[0].focus();
  }
  opener.hidden = false;
  opener.addEventListener("click", () => drawer(!contents.classList.contains("open")));
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) drawer(false); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !contents.classList.contains("open")) return;
    drawer(false);
    opener.focus();
  });
  document.addEventListener("click", (event) => {
    if (!contents.contains(event.target) && !opener.contains(event.target)) {
      contents.classList.remove("open");
      opener.setAttribute("aria-expanded", "false");
    }
  });

  let waiting = false;
  function mark() {
    waiting = false;
    document.documentElement.classList.toggle("scrolled", scrollY > innerHeight);
    // Small tables stand side by side: of those at one height the first counts.
    let current = 0;
    targets.forEach((target, index) => {
      if (target && target.getClientRects().length && target.getBoundingClientRect().top <= innerHeight / 3) current = index;
    });
    links.forEach((link, index) => {
      if (index === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    });
    const link = links[current];
    const room = contents.clientHeight;
    if (link.offsetTop < contents.scrollTop || link.offsetTop > contents.scrollTop + room - 40) {
      contents.scrollTop = link.offsetTop - room / 2;
    }
  }
  addEventListener("scroll", () => {
    if (!waiting) { waiting = true; requestAnimationFrame(mark); }
  }, { passive: true });
  mark();
});
