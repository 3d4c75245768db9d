// The theme: as the system has it, light, or dark; kept in a cookie that the server reads when it makes a page.
(() => {
  const names = ["system", "light", "dark"];
  const cookie = () => (document.cookie.match(/(?:^|; )myquant_theme=(light|dark)/) || [])[1] || "system";
  const show = (button) => (button.textContent = "Theme: " + cookie());
  const begin = () => {
    const button = document.getElementById("theme");
    if (!button) return window.setTimeout(begin, 50);
    show(button);
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(cookie()) + 1) % names.length];
      document.cookie = `myquant_theme=${next}; path=/; max-age=31536000; samesite=strict`;
      window.location.reload();
    });
  };
  begin();
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
