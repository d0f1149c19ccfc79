// Replaces <main> by a fresh one every 5 s, so that nothing flashes or scrolls.
// Without it the page is whole, and the browser reloads it now and then.
const every = 5000;
async function refresh() {
  const selecting = !getSelection().isCollapsed;
  if (!document.hidden && !selecting) {
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(every) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  }
  setTimeout(refresh, every);
}
setTimeout(refresh, every);
