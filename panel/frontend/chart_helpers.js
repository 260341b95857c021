// Pure helpers of the live chart: times, colours, and marks that must not overlap.

const toIso = (ms) => new Date(ms).toISOString().slice(0, -1);

function toMs(value) {
  if (typeof value === "number") return value;
  const [date, time = "0:0:0"] = String(value).split(/[ T]/);
  const [year, month = 1, day = 1] = date.split("-").map(Number);
  const [hour, minute = 0, second = 0] = time.replace("Z", "").split(":").map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, 0) + second * 1000;
}

function firstAtOrAfter(times, ms) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Ticks at candles, evenly by their number: plotly spaces them by time, which gaps make uneven.
function candleTicks(times, [from, to], barMs, most) {
  const first = firstAtOrAfter(times, from);
  const last = firstAtOrAfter(times, to + 1);
  const step = Math.max(1, Math.ceil((last - first) / Math.max(1, most)));
  const ticks = [];
  for (let at = Math.ceil(first / step) * step; at < last; at += step) ticks.push(toIso(times[at]));
  const texts = ticks.map((tick, index) => {
    const [day, time] = tick.split("T");
    if (barMs >= 86_400_000) return day;
    const isNewDay = !index || !ticks[index - 1].startsWith(day);
    return time.slice(0, barMs < 60_000 ? 8 : 5) + (isNewDay ? `<br>${day}` : "");
  });
  return { tickmode: "array", tickvals: ticks, ticktext: texts };
}

// Moves marks down, then up, until they lie `gap` pixels apart within the pane.
function keepApart(marks, gap, pane) {
  const sorted = [...marks].sort((a, b) => a.wanted - b.wanted);
  for (let at = 1; at < sorted.length; at++)
    sorted[at].at = Math.max(sorted[at].at, sorted[at - 1].at + gap);
  let limit = pane - 8;
  for (let at = sorted.length - 1; at >= 0; at--) {
    sorted[at].at = Math.min(sorted[at].at, limit);
    limit = sorted[at].at - gap;
  }
}

// `share` of a colour over a ground, as plotly understands it. Both are #rgb, #rrggbb or rgb().
function mix(colour, ground, share) {
  const over = channels(colour);
  const under = channels(ground);
  const mixed = over.map((value, at) => Math.round(value * share + under[at] * (1 - share)));
  return `rgb(${mixed.join(",")})`;
}

function channels(colour) {
  if (!colour.startsWith("#")) return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
  const digits = colour.slice(1);
  const pairs = digits.length < 6 ? [...digits].map((one) => one + one) : digits.match(/../g);
  return pairs.slice(0, 3).map((pair) => parseInt(pair, 16));
}
