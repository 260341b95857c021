// The decision trace. New decisions come while a person reads: what is open stays open, and while
// only the newest is open, the newest stays the open one.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".qd-decisions");
  const rows = () => [...root.querySelectorAll("details")];
  const before = rows();
  const open = new Set(before.filter((row) => row.open).map((row) => row.dataset.id));
  const isFollowing = !before.length || (open.size === 1 && before[0].open);
  root.innerHTML = data.html; // made and escaped by panel/decision_trace.py
  rows().forEach((row, index) => {
    row.open = isFollowing ? index === 0 : open.has(row.dataset.id);
  });
}
