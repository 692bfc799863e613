"use strict";
(() => {
  const place = document.getElementById("search");
  if (!place) { return; }
  const label = document.createElement("label");
  const field = document.createElement("input");
  const told = document.createElement("p");
  const mostOpened = 500;
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
    const matching = [];
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
      group.open = false;
      if (here > 0) { matching.push(group); }
      found += here;
    }
    // To lay out thousands of rows at each key would make the field hard to write in.
    if (wanted && found <= mostOpened) { matching.forEach((group) => { group.open = true; }); }
    told.textContent = wanted ? `${found} found` : "";
  });
})();
