"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const charts = [...document.querySelectorAll(".chart")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)");

  // What a CSS variable is in the current theme: only an element's computed colour knows.
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  const colour = (name) => {
    probe.style.color = name;
    return getComputedStyle(probe).color;
  };
  const themed = (value) => {
    if (typeof value === "string") return value.startsWith("var(") ? colour(value) : value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(themed);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, themed(part)]));
  };

  const draw = () => {
    for (const chart of charts) {
      const { data, layout } = themed(figures[chart.dataset.chart]);
      if (touch.matches) layout.dragmode = false; // a finger scrolls the page
      layout.uirevision = "same"; // keep zoom and legend
      if (root.classList.contains("paper")) {
        layout.width = chart.clientWidth;
        layout.height = chart.clientHeight;
      }
      Plotly.react(chart, data, layout, {
        displaylogo: false,
        responsive: true,
        displayModeBar: false,
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
      });
    }
  };

  const toggle = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => {
    toggle.textContent = isDark() ? "Light theme" : "Dark theme";
    draw();
  };
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  // The paper's style applies only after this event: what is drawn must have its width and colours before.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => (part.open = true));
    root.classList.add("paper");
    draw();
  });
  addEventListener("afterprint", () => {
    root.classList.remove("paper");
    show();
    charts.forEach((chart) => Plotly.Plots.resize(chart));
  });
  show();
})();
