// The live chart. Streamlit calls the default function at every change of data or theme; the view
// (zoom, hidden series) lives here, in the browser, so that new candles never move it.

const FOLLOW_BARS = 140;
const NARROW_PX = 600;
const LABEL_PX = 56; // what the names of the levels take, right of the newest candle
const views = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".qd-chart");
  let view = views.get(root);
  if (!view) {
    view = new ChartView(root);
    views.set(root, view);
  }
  view.receive(data, readTheme(parentElement));
  return () => {
    view.destroy();
    views.delete(root);
  };
}

// --- plotly.js, loaded once a page -------------------------------------------------------------

// `window.Plotly` may be Streamlit's own, of whatever version: it is not used, whichever came first.
function loadPlotly(url) {
  window.quarterdeckPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      delete window.quarterdeckPlotly;
      script.remove();
      reject(new Error("The chart library could not be loaded."));
    };
    document.head.append(script);
  });
  return window.quarterdeckPlotly;
}

function readTheme(element) {
  const host = element.querySelector(".qd-chart");
  const style = getComputedStyle(host);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  return {
    text: read("--st-text-color", "#333"),
    background: read("--st-background-color", "#fff"),
    font: read("--st-font", "sans-serif"),
  };
}

// --- one chart ---------------------------------------------------------------------------------

class ChartView {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector(".qd-plot");
    this.readout = root.querySelector(".qd-readout");
    this.status = root.querySelector(".qd-status");
    this.range = null; // [from, to] in ms once the person has moved the view; null: follow newest
    this.isBusy = false; // a drag is under way: new data waits
    this.isOurs = false; // a relayout of our own, not the person's
    this.updates = 0;
    for (const button of root.querySelectorAll("button"))
      button.onclick = () => this.command(button.dataset.command);
    this.root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.plot.addEventListener("pointerdown", () => (this.isBusy = true));
    this.release = () => this.endDrag();
    window.addEventListener("pointerup", this.release);
    window.addEventListener("pointercancel", this.release);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
  }

  receive(payload, theme) {
    // A new view begins with the range it asks for, if it asks for one.
    if (this.payload?.view_id !== payload.view_id) this.range = payload.range ?? null;
    this.payload = payload;
    this.theme = theme;
    this.candles = payload.traces.find((trace) => trace.type === "candlestick");
    if (!this.isBusy) this.draw();
  }

  async draw() {
    try {
      this.plotly = await loadPlotly(this.payload.plotly_url);
    } catch (error) {
      this.plot.textContent = error.message;
      return;
    }
    if (this.isDestroyed) return;
    this.dropLostRange();
    const isFirst = !this.plot.data;
    if (isFirst) this.plot.textContent = "";
    const config = { displayModeBar: false, responsive: false, doubleClick: false };
    await this.plotly.react(this.plot, this.payload.traces, this.layout(), config);
    if (isFirst) this.listen();
    this.updates += 1;
    this.showState();
  }

  // A held view that all candles have left behind shows nothing: follow again.
  dropLostRange() {
    if (this.range && this.range[1] < this.candles.x[0]) this.range = null;
  }

  listen() {
    this.plot.on("plotly_relayout", (change) => this.moved(change));
    this.plot.on("plotly_doubleclick", () => this.command("newest"));
    this.plot.on("plotly_hover", (event) => this.point(event));
    this.plot.on("plotly_unhover", () => this.showReadout());
  }

  moved(change) {
    if (this.isOurs || change["xaxis.range[0]"] === undefined) return;
    this.range = [toMs(change["xaxis.range[0]"]), toMs(change["xaxis.range[1]"])];
    this.refit();
  }

  endDrag() {
    if (!this.isBusy) return;
    this.isBusy = false;
    setTimeout(() => !this.isDestroyed && this.payload && this.draw(), 0);
  }

  command(name) {
    if (name === "newest") this.range = null;
    else if (name === "in") this.zoom(0.6);
    else if (name === "out") this.zoom(1 / 0.6);
    else this.shift(name === "earlier" ? -0.4 : 0.4);
    this.refit();
  }

  // Zooming and moving count in candles, not in time: nights and weekends take no room.
  zoom(factor, share = 1) {
    const [from, to] = this.shownRange().map((ms) => this.indexOf(ms));
    const span = Math.min(Math.max((to - from) * factor, 8), 1.5 * this.candles.x.length);
    const fixed = from + (to - from) * share;
    this.range = [fixed - span * share, fixed + span * (1 - share)].map((at) => this.timeOf(at));
  }

  shift(share) {
    const [from, to] = this.shownRange().map((ms) => this.indexOf(ms));
    const last = this.candles.x.length - 1;
    const step = Math.max(-to + 1, Math.min(last - 1 - from, (to - from) * share));
    this.range = [from + step, to + step].map((at) => this.timeOf(at));
  }

  // The place of a time among the candles, with fractions; beyond them it goes on in candles.
  indexOf(ms) {
    const times = this.candles.x;
    const bar = this.payload.bar_ms;
    const after = firstAtOrAfter(times, ms);
    if (after === 0) return (ms - times[0]) / bar;
    const before = after - 1;
    const inside = (ms - times[before]) / bar;
    return before + (after < times.length ? Math.min(1, inside) : inside);
  }

  timeOf(index) {
    const times = this.candles.x;
    const whole = Math.min(times.length - 1, Math.max(0, Math.floor(index)));
    return times[whole] + (index - whole) * this.payload.bar_ms;
  }

  wheel(event) {
    if (!(event.ctrlKey || event.metaKey) || !this.payload) return; // a plain wheel scrolls the page
    event.preventDefault();
    const box = this.plot.getBoundingClientRect();
    const { l, r } = this.margin();
    const at = (event.clientX - box.left - l) / Math.max(1, box.width - l - r);
    this.zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, Math.min(1, Math.max(0, at)));
    this.refit();
  }

  resize() {
    const width = this.root.clientWidth;
    if (!this.plot.data || !width || width === this.width) return;
    this.refit();
  }

  async refit() {
    if (!this.plotly || !this.plot.data) return;
    this.isOurs = true;
    await this.plotly.relayout(this.plot, this.layout());
    this.isOurs = false;
    this.showState();
  }

  destroy() {
    this.isDestroyed = true;
    this.observer.disconnect();
    window.removeEventListener("pointerup", this.release);
    window.removeEventListener("pointercancel", this.release);
    if (this.plotly) this.plotly.purge(this.plot);
  }

  // --- what is shown ---------------------------------------------------------------------------

  shownRange() {
    if (this.range) return this.range;
    const times = this.candles.x;
    const bar = this.payload.bar_ms;
    const count = this.root.clientWidth < NARROW_PX ? FOLLOW_BARS / 2 : FOLLOW_BARS;
    const first = times[Math.max(0, times.length - count)];
    const room = (count * LABEL_PX) / Math.max(LABEL_PX, this.root.clientWidth); // in candles
    return [first - bar, times[times.length - 1] + room * bar];
  }

  margin() {
    const prices = [...this.payload.levels.map((level) => level.price), this.candles.close[0]];
    const longest = Math.max(...prices.map((price) => this.price(price).length));
    return { l: 2, r: 14 + 7 * longest, t: 22, b: 42 };
  }

  price(value) {
    const digits = this.payload.decimals;
    return value.toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  layout() {
    const { payload, theme } = this;
    const range = this.shownRange();
    this.width = this.root.clientWidth;
    const quiet = mix(theme.text, theme.background, 0.12);
    const muted = mix(theme.text, theme.background, 0.68);
    const axis = { gridcolor: quiet, linecolor: quiet, zeroline: false, tickfont: { color: muted } };
    const layout = {
      ...payload.layout,
      width: this.width,
      height: payload.height + 64,
      margin: this.margin(),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: theme.background,
      font: { family: theme.font, size: 11, color: theme.text },
      hovermode: "x",
      hoverdistance: 40,
      hoverlabel: { font: { family: theme.font, size: 12 }, align: "left", bgcolor: theme.background,
        bordercolor: muted },
      dragmode: this.width < NARROW_PX ? false : "pan",
      bargap: 0.25,
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", uirevision: payload.view_id,
        font: { size: 11, color: muted }, bgcolor: "rgba(0,0,0,0)" },
      xaxis: { ...payload.layout.xaxis, ...axis, type: "date", range: range.map(toIso),
        rangebreaks: (payload.layout.xaxis.rangebreaks || []).map((gap) => ({
          bounds: gap.bounds.map(toIso) })),
        rangeslider: { visible: false }, showspikes: true, spikemode: "across", spikethickness: 1,
        spikedash: "dot", spikecolor: muted, spikesnap: "hovered data", nticks: this.width / 110 },
    };
    if (layout.xaxis.rangebreaks.length)
      Object.assign(
        layout.xaxis,
        candleTicks(this.candles.x, range, payload.bar_ms, this.width / 110),
      );
    for (const name of Object.keys(payload.layout).filter((key) => key.startsWith("yaxis")))
      layout[name] = { ...axis, ...payload.layout[name], side: "right", fixedrange: true,
        range: payload.layout[name].range || this.fit(name.replace("axis", ""), range) };
    const levels = this.levelMarks(layout);
    layout.shapes = [...payload.layout.shapes, ...levels.shapes];
    layout.annotations = [
      ...payload.layout.annotations.map((one) => ({ ...one, bgcolor: theme.background,
        opacity: 0.85, font: { ...one.font, color: muted } })),
      ...levels.annotations,
    ];
    return layout;
  }

  // The range that shows all an axis has between two times; price levels count when they are near.
  fit(axis, [from, to]) {
    let low = Infinity;
    let high = -Infinity;
    for (const trace of this.payload.traces) {
      if ((trace.yaxis || "y") !== axis) continue;
      const lows = trace.low || trace.y;
      const highs = trace.high || trace.y;
      const last = trace.x.length;
      for (let at = firstAtOrAfter(trace.x, from); at < last && trace.x[at] <= to; at++) {
        if (lows[at] !== null && lows[at] < low) low = lows[at];
        if (highs[at] !== null && highs[at] > high) high = highs[at];
      }
      if (trace.type === "bar") {
        low = Math.min(low, 0);
        high = Math.max(high, 0);
      }
    }
    if (!Number.isFinite(low)) return [0, 1];
    if (axis === "y") [low, high] = this.withNearLevels(low, high);
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    return [low === 0 ? 0 : low - pad, high + pad];
  }

  withNearLevels(low, high) {
    const reach = (high - low) * 0.6;
    for (const { price } of this.payload.levels) {
      if (price >= low - reach && price <= high + reach) {
        low = Math.min(low, price);
        high = Math.max(high, price);
      }
    }
    return [low, high];
  }

  // Lines with a price chip on the axis and a name on the line. Chips keep apart from one another;
  // a level outside the view is named at the edge with an arrow.
  levelMarks(layout) {
    const [low, high] = layout.yaxis.range;
    const [bottom, top] = layout.yaxis.domain;
    const pane = (layout.height - layout.margin.t - layout.margin.b) * (top - bottom);
    const marks = this.payload.levels.map((level) => {
      const wanted = ((high - level.price) / (high - low)) * pane;
      const inside = wanted >= 0 && wanted <= pane;
      return { ...level, inside, wanted, at: Math.min(pane - 8, Math.max(8, wanted)) };
    });
    keepApart(marks, 17, pane);
    const shapes = marks
      .filter((mark) => mark.inside)
      .map(({ price, color, dash }) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y",
        y0: price, y1: price, line: { color, width: 1, dash } }));
    const annotations = marks.flatMap((mark) => {
      const y = top - (mark.at / pane) * (top - bottom);
      const arrow = mark.inside ? "" : mark.wanted < 0 ? "\u2191 " : "\u2193 ";
      const base = { xref: "paper", yref: "paper", y, yanchor: "middle", showarrow: false };
      const chip = { ...base, x: 1, xanchor: "left", xshift: 2, bgcolor: mark.color, borderpad: 2,
        text: this.price(mark.price), font: { color: "#fff", size: 11 } };
      const name = { ...base, x: 1, xanchor: "right", xshift: -4, text: arrow + mark.name,
        bgcolor: this.theme.background, opacity: 0.9, font: { color: mark.color, size: 11 } };
      return [chip, name];
    });
    return { shapes, annotations };
  }

  // --- words -----------------------------------------------------------------------------------

  point(event) {
    const point = event.points.find((one) => one.data.type === "candlestick") || event.points[0];
    if (!point || point.data.meta === "marker") return;
    const at = firstAtOrAfter(this.candles.x, toMs(point.x));
    this.showReadout(Math.min(at, this.candles.x.length - 1));
  }

  showReadout(at = this.candles.x.length - 1) {
    const { x, open, high, low, close } = this.candles;
    const volume = this.payload.traces.find((trace) => trace.yaxis === "y2");
    const change = open[at] ? (100 * (close[at] - open[at])) / open[at] : 0;
    const parts = [
      ["", `${toIso(x[at]).replace("T", " ").slice(0, 19)} UTC`],
      ["O", this.price(open[at])],
      ["H", this.price(high[at])],
      ["L", this.price(low[at])],
      ["C", this.price(close[at])],
      ["", `${change >= 0 ? "+" : "\u2212"}${Math.abs(change).toFixed(2)} %`],
      ["V", volume ? volume.y[at].toLocaleString("en-US", { maximumSignificantDigits: 5 }) : ""],
    ];
    this.readout.replaceChildren(
      ...parts.map(([name, value]) => {
        const part = document.createElement("span");
        part.textContent = name ? `${name} ${value}` : value;
        return part;
      }),
    );
  }

  showState() {
    const times = this.candles.x;
    const [from, to] = this.shownRange();
    const unseen = times.length - firstAtOrAfter(times, to + 1);
    this.status.textContent = !this.range
      ? "Following newest"
      : unseen
        ? `View held, ${unseen} newer ${unseen === 1 ? "candle" : "candles"}`
        : "View held";
    this.showReadout();
    Object.assign(this.root.dataset, {
      from: Math.round(from), to: Math.round(to), following: String(!this.range),
      newest: times[times.length - 1], updates: this.updates,
    });
  }
}
