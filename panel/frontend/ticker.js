// Counts down and up once a second in the browser, so that clocks move between two answers of the
// engine. [data-qd-until] is counted down to, [data-qd-since] counted up from (epoch ms).

const STALE_AFTER_S = 5;

export default function ({ data }) {
  const clock = (window.quarterdeckClock ??= { skew: 0, timer: 0 });
  clock.skew = Date.now() - data.now;
  if (!clock.timer) clock.timer = setInterval(tick, 1000);
  tick();
}

function tick() {
  const now = Date.now() - window.quarterdeckClock.skew;
  for (const element of document.querySelectorAll("[data-qd-until]"))
    write(element, left(Math.round((Number(element.dataset.qdUntil) - now) / 1000)));
  for (const element of document.querySelectorAll("[data-qd-since]")) {
    const age = Math.max(0, Math.round((now - Number(element.dataset.qdSince)) / 1000));
    write(element, span(age));
    element.parentElement.classList.toggle("qd-stale", age > STALE_AFTER_S);
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function left(seconds) {
  if (seconds <= 0) return "now";
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  const minutes = Math.floor(seconds / 60) % 60;
  return hours
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
