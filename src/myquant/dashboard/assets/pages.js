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
