"use strict";
(() => {
  const place = document.getElementById("search");
  if (!place) { return; }
  const label = document.createElement("label");
  const field = document.createElement("input");
  const told = document.createElement("p");
  field.type = "search";
  field.id = "wanted";
  label.htmlFor = field.id;
  label.textContent = "Show tests whose name, reason or outcome has";
  told.setAttribute("role", "status");
  told.className = "hint";
  place.append(label, field, told);
  const groups = [...document.querySelectorAll("details.group")].map((group) => ({
    group,
    name: group.querySelector("code").textContent.toLowerCase(),
    rows: [...group.querySelectorAll("tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let found = 0;
    for (const { group, name, rows } of groups) {
      const whole = name.includes(wanted);
      let here = 0;
      for (const { row, text } of rows) {
        const shown = whole || text.includes(wanted);
        row.hidden = !shown;
        here += shown ? 1 : 0;
      }
      group.hidden = here === 0;
      group.open = wanted !== "" && here > 0;
      found += here;
    }
    told.textContent = wanted ? `${found} found` : "";
  });
})();
