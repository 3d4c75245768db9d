"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const charts = [...document.querySelectorAll(".chart")];
  const symbol = document.getElementById("symbol");
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

  Plotly.register({
    moduleType: "locale",
    name: "en-IN",
    dictionary: {},
    format: { decimal: ".", thousands: ",", grouping: [3, 2, 2, 2, 2, 2], currency: ["₹", ""] },
  });
  const settings = {
    displaylogo: false,
    responsive: true,
    displayModeBar: touch.matches ? false : "hover",
    locale: "en-IN",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  const draw = () => {
    for (const chart of charts) {
      const name = chart.dataset.chart;
      const chosen = name === "price" ? figures.price[symbol ? Number(symbol.value) : 0] : figures[name];
      const { data, layout } = themed(chosen);
      if (touch.matches) layout.dragmode = false; // a finger scrolls the page
      layout.uirevision = name === "price" && symbol ? symbol.value : "same"; // keep zoom and legend
      if (root.classList.contains("paper")) {
        layout.width = chart.clientWidth;
        layout.height = chart.clientHeight;
      }
      Plotly.react(chart, data, layout, settings);
    }
  };

  // The two time axes zoom together.
  const shows = (axis, range) =>
    range["xaxis.autorange"] ? axis.autorange : String(axis.range) === String(range["xaxis.range"]);
  const link = (from, to) => {
    from.on("plotly_relayout", (change) => {
      const range = change["xaxis.autorange"]
        ? { "xaxis.autorange": true }
        : change["xaxis.range[0]"] && { "xaxis.range": [change["xaxis.range[0]"], change["xaxis.range[1]"]] };
      if (range && !shows(to.layout.xaxis, range)) Plotly.relayout(to, range);
    });
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
  if (symbol) symbol.addEventListener("change", draw);
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

  const valueOf = (row, place) => {
    const cell = row.cells[place];
    const text = cell.dataset.v ?? cell.textContent;
    return cell.classList.contains("n") ? Number(text) : text;
  };
  for (const table of document.querySelectorAll(".sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      head.firstElementChild.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].filter((row) => row.cells.length === heads.length);
        const keyed = rows.map((row) => [valueOf(row, place), row]);
        keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1));
        table.tBodies[0].append(...keyed.map(([, row]) => row));
      });
    });
  }

  show();
  link(charts[0], charts[1]);
  link(charts[1], charts[0]);
})();
