"use strict";
// What every page has: keys, and local times. Every page can be read without its scripts. Text from the server is only ever set as text:
// nothing here makes markup of it. The scripts of single pages follow this one and share these three.
const find = (selector, within = document) => within.querySelector(selector);
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
// A name with invisible or direction-changing characters must not look like another one.
const visible = text => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, c => `\\u{${c.codePointAt(0).toString(16)}}`);

(() => {
  // Local times.
  const localTime = event => {
    const time = event.target.closest?.("time[datetime]");
    const date = time && new Date(time.dateTime);
    if (date && !isNaN(date)) time.title = `${date.toLocaleString([], { timeZoneName: "short" })} · ${time.dateTime}`;
  };
  addEventListener("pointerover", localTime);
  addEventListener("focusin", localTime);

  // Keys.
  const places = { f: "/", r: "/runs", l: "/logs", i: "/incidents", o: "/oncall" };
  const keys = [
    ["/", "search"], ["j  k", "next and previous row"], ["Enter", "open the row"], ["g f", "fleet"], ["g i", "incidents"],
    ["g r", "runs"], ["g l", "logs"], ["g o", "on call"], ["?", "these keys"], ["Esc", "close"],
  ];
  let goes = 0;
  const showKeys = () => {
    let dialog = find("#keys");
    if (!dialog) {
      const list = make("dl");
      for (const [key, what] of keys) list.append(make("dt", {}, make("kbd", {}, key)), make("dd", {}, what));
      const close = make("button", { type: "button" }, "Close");
      dialog = make("dialog", { id: "keys", "aria-label": "Keys" }, make("h2", {}, "Keys"), list, close);
      close.addEventListener("click", () => dialog.close());
      document.body.append(dialog);
    }
    if (!dialog.open) dialog.showModal();
  };
  const move = step => {
    const links = [...document.querySelectorAll("main tbody tr")].map(row => find("a", row)).filter(Boolean);
    const row = document.activeElement?.closest?.("tr");
    const at = row ? links.findIndex(link => row.contains(link)) : -1;
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input,select,textarea,dialog")) return;
    const path = Date.now() - goes < 1500 ? places[event.key] : undefined;
    goes = event.key === "g" ? Date.now() : 0;
    if (path) location.assign(path);
    else if (event.key === "/") find("form[role=search] input")?.focus();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "?") showKeys();
    else return;
    event.preventDefault();
  });
})();
