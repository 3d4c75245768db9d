// The theme: as the system has it, light, or dark; kept in a cookie that the server reads when it makes a page.
(() => {
  const names = ["system", "light", "dark"];
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const keep = (name, value) => (document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`);
  const cookie = () => (document.cookie.match(/(?:^|; )myquant_theme=(light|dark)/) || [])[1] || "system";
  const show = (button) => (button.textContent = "Theme: " + cookie());
  const begin = () => {
    const button = document.getElementById("theme");
    if (!button) return window.setTimeout(begin, 50);
    show(button);
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(cookie()) + 1) % names.length];
      keep("myquant_theme", next);
      window.location.reload();
    });
  };
  const noted = () => (document.cookie.match(/(?:^|; )myquant_shown=(light|dark)/) || [])[1];
  const note = () => keep("myquant_shown", system.matches ? "dark" : "light");
  const made = window.madeFor; // the theme that the server made this page for, "" where it did not know
  note();
  if (cookie() === "system" && made && noted() && noted() !== made) window.location.reload(); // its pictures are of the other one
  system.addEventListener("change", note);
  begin();
})();
// The series of a chart, which the server sends as a text; a chart that is not made yet gets them once it is, in their order.
// Its element counts by `data-drawn` how often it was told some.
window.drawSeries = (() => {
  const waiting = new Map();
  const chartOf = (id) => window.getElement(id)?.chart;
  const flush = (id, triesLeft) => {
    const chart = chartOf(id);
    if (!chart && triesLeft) return window.setTimeout(flush, 20, id, triesLeft - 1);
    const all = waiting.get(id);
    waiting.delete(id);
    if (!chart) return; // its part of the page is gone
    all.forEach((series) => chart.setOption({ series }));
    const about = chart.getDom().dataset;
    about.drawn = Number(about.drawn ?? 0) + all.length;
  };
  return (id, text) => {
    const series = JSON.parse(text);
    if (waiting.has(id)) return void waiting.get(id).push(series);
    waiting.set(id, [series]);
    flush(id, 500);
  };
})();
// What is shown is only news as long as it comes: a bar says where nothing comes any more, since when, and why.
(() => {
  let came = Date.now();
  let bar = null;
  let isAsking = false;
  const shown = () => document.getElementById("looked");
  const say = (text, link, where) => {
    if (!bar) {
      bar = document.body.appendChild(document.createElement("div"));
      bar.id = "stale";
      bar.setAttribute("role", "alert");
    }
    const asOf = (/as of (.*)$/.exec(shown()?.textContent || "") || [])[1] || "some time ago";
    const said = `${text} What is shown is of ${asOf}.`;
    if (bar.dataset.said === said) return;
    bar.dataset.said = said;
    bar.replaceChildren(`■ ${said} `, Object.assign(document.createElement("a"), { href: where, textContent: link }));
    document.body.classList.add("is-stale");
  };
  const hear = () => {
    came = Date.now();
    if (!bar) return;
    bar.remove();
    bar = null;
    document.body.classList.remove("is-stale");
  };
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const answer = await fetch("/api/sessions", { cache: "no-store", signal: AbortSignal.timeout(4000) });
      const isLate = Date.now() - came > Number(shown().dataset.late);
      if (answer.status === 401) say("You are logged out.", "Log in", "/login");
      else if (isLate) say("Nothing new comes.", "Load the page again", window.location.href);
    } catch {
      say("The pages can't be reached.", "Try again", window.location.href);
    } finally {
      isAsking = false;
    }
  };
  const begin = () => {
    if (!shown() || !window.socket) return window.setTimeout(begin, 50);
    came = Date.now();
    new MutationObserver(hear).observe(shown(), { childList: true, characterData: true, subtree: true });
    window.socket.on("disconnect", ask);
    window.socket.on("connect_error", ask);
    window.setInterval(() => Date.now() - came > Number(shown().dataset.late) && ask(), 1000);
  };
  begin();
})();
