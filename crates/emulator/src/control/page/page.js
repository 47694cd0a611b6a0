// Shows what the control surface lists, once a second, switches faults on and off, and imports and resets the state.
//
// Text from a request becomes the text of an element, never markup.

const INTERVAL = 1000;

const $ = (selector, within = document) => within.querySelector(selector);

/** Makes an element. Properties are set as they are; children are elements or text. */
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Sends text to the control surface, and returns its JSON. A failure is an error with the emulator's words. */
async function sendText(method, path, body) {
  const options = { method, body, cache: "no-store", redirect: "error" };
  const response = await fetch(path, options).catch((error) => {
    throw new Error(`The emulator cannot be reached: ${error.message}`);
  });
  const text = await response.text();
  const json = text ? JSON.parse(text) : undefined;
  // The health has a status of its own in place of an error.
  if (!response.ok && !json?.status) {
    throw new Error(json?.error?.message ?? `The emulator responded with ${response.status}.`);
  }
  return json;
}

const call = (method, path, body) => sendText(method, path, body && JSON.stringify(body));

/**
 * Makes the children of a list those of `items`, in their order. Elements of items that stay are reused, so
 * that focus and open details survive; `build` makes the others. An item whose JSON has changed is built anew.
 */
function sync(parent, items, key, build) {
  const old = new Map([...parent.children].filter((child) => child.item).map((child) => [child.key, child]));
  let place = [...parent.children].find((child) => child.item) ?? null;
  for (const item of items) {
    const json = JSON.stringify(item);
    const id = String(key(item));
    let element = old.get(id);
    old.delete(id);
    if (element?.item !== json) {
      const built = Object.assign(build(item), { item: json, key: id });
      if (element) {
        if (place === element) {
          place = built;
        }
        element.replaceWith(built);
      }
      element = built;
    }
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
  }
  for (const element of old.values()) {
    element.remove();
  }
}

/** Shows a list, or in its place the sentence that says that it is empty. */
function list(heading, items, key, build) {
  const section = $(`#${heading}`).parentElement;
  const parent = $("ul, table", section);
  parent.hidden = items.length === 0;
  $(".empty", section).hidden = items.length > 0;
  sync(parent, items, key, build);
}

const time = (iso) => make("time", { dateTime: iso, title: iso, textContent: iso.slice(11, 19) });

/** The time of issue and the lifetime of a token. */
function lifetime({ iat, exp }) {
  const [issued, expires] = [iat, exp].map((seconds) => new Date(seconds * 1000).toISOString());
  const minutes = Math.round((exp - iat) / 60);
  const length = minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
  return make("span", { className: "muted", title: `until ${expires}` }, time(issued), `, for ${length}`);
}

/** The part of a raw id that differs between the users of a resource. */
const shortId = (id) => (id.startsWith("8:acs:") && id.includes("_") ? `…${id.slice(id.indexOf("_"))}` : id);
const identity = (id) => make("span", { className: "mono", title: id }, shortId(id));

function request(item) {
  const { status, fault } = item;
  const kind = status === undefined ? "bad" : status < 300 ? "good" : status < 500 ? "warn" : "bad";
  const outcome = [status ?? "reset", item.code].filter(Boolean).join(" ");
  const name = item.operation ?? `${item.method} ${item.path}`;
  const rows = [
    make(
      "tr",
      {},
      make("td", {}, time(item.time)),
      make("td", { className: kind }, outcome),
      make("td", { title: `${item.method} ${item.path}` }, name),
      make("td", { className: "identity" }, item.identity ? identity(item.identity) : ""),
      make("td", { className: "number" }, `${item.durationMs.toFixed(item.durationMs < 10 ? 1 : 0)} ms`),
    ),
  ];
  for (const text of [fault && `Injected fault: ${fault}`, item.explanation].filter(Boolean)) {
    rows.push(make("tr", { className: "explanation" }, make("td", { colSpan: 5 }, text)));
  }
  return make("tbody", {}, ...rows);
}

const identityItem = ({ id }) => make("li", { className: "mono" }, id);

const TOKEN_KINDS = { active: "good", expired: "warn" };

function token({ status, claims }) {
  return make(
    "li",
    {},
    make("span", { className: TOKEN_KINDS[status] ?? "bad" }, status),
    make("span", {}, claims.acsScope),
    lifetime(claims),
    make(
      "details",
      {},
      make("summary", {}, identity(`8:${claims.skypeid}`)),
      make("pre", {}, JSON.stringify(claims, null, 2)),
    ),
  );
}

/** The words for the members of a fault. */
const FAULT_WORDS = {
  effect: (effect) => $(`#fault option[value="${effect}"]`).textContent,
  status: (status) => `${status}`,
  code: (code) => `code ${code}`,
  retryAfterSeconds: (seconds) => `Retry-After ${seconds} s`,
  afterCommit: () => "after the commit",
  milliseconds: (milliseconds) => `${milliseconds} ms`,
  times: (times) => `${times} times`,
  share: (share) => `${Number((share * 100).toFixed(2))} % of requests`,
  operation: (operation) => `only ${operation}`,
};

function fault({ id, hits, remaining, ...rest }) {
  const words = Object.entries(rest).map(([name, value]) => FAULT_WORDS[name]?.(value) ?? `${name} ${value}`);
  const counts = [`hits: ${hits}`, remaining === undefined ? "" : `left: ${remaining}`].filter(Boolean);
  const off = make("button", { type: "button" }, "Switch off");
  off.addEventListener("click", () => act(off, () => call("DELETE", `faults/${id}`)));
  return make(
    "li",
    {},
    make("span", { className: "grow" }, words.join(", ")),
    make("span", { className: "muted" }, counts.join(", ")),
    off,
  );
}

/** One of the two access keys, with its connection strings and a button that regenerates it. */
function accessKey(fieldset) {
  const kind = fieldset.dataset.kind;
  const strings = [
    ["http", "connectionString"],
    ["https", "httpsConnectionString"],
  ].map(([scheme, name]) => {
    const input = make("input", { readOnly: true, name });
    input.addEventListener("focus", () => input.select());
    const copy = make("button", { type: "button", ariaLabel: `Copy the ${kind} ${scheme} connection string` }, "Copy");
    copy.addEventListener("click", () =>
      act(copy, async () => {
        await navigator.clipboard.writeText(input.value);
        copy.textContent = "Copied";
        setTimeout(() => (copy.textContent = "Copy"), 2000);
      }),
    );
    fieldset.append(make("div", { className: "copy" }, make("label", {}, scheme, input), copy));
    return input;
  });
  const regenerate = make("button", { type: "button", className: "danger" }, `Regenerate ${kind} key`);
  regenerate.addEventListener("click", async () => {
    const question = `Clients with the ${kind} key will be refused, and their tokens are revoked.`;
    if (await sure(question, "Regenerate")) {
      await act(regenerate, () => call("POST", `access-keys/${kind}/regenerate`));
    }
  });
  fieldset.append(regenerate);
  return (keys) => {
    for (const input of strings) {
      input.value = keys[kind][input.name];
    }
  };
}

/** Asks in a dialog, and returns whether it is confirmed by the button with these words. */
function sure(question, words) {
  const dialog = $("#sure");
  $("#sure-question").textContent = question;
  $("[value=yes]", dialog).textContent = words;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Runs the action of a button, then shows the new state. A failure is shown next to the button, or on top. */
async function act(button, action) {
  const alert = (button.form && $("[role=alert]", button.form)) ?? $("#trouble");
  try {
    await action();
    alert.textContent = "";
    alert.hidden = alert === $("#trouble");
    await refresh();
  } catch (error) {
    alert.textContent = error.message;
    alert.hidden = false;
  }
}

/** Statuses that clients meet, with the codes of the service. */
const PRESETS = [
  { status: 400, code: "ValidationError" },
  { status: 401, code: "Denied" },
  { status: 429, code: "TooManyRequests", retryAfterSeconds: 1 },
  { status: 500, code: "InternalServerError" },
  { status: 503, code: "ServiceUnavailable" },
  { status: 504, code: "GatewayTimeout" },
];

/** A row of buttons for each of them: in place of the operation, and after its commit. */
function presets() {
  const fieldset = $("#presets");
  for (const preset of PRESETS) {
    const name = `${preset.status} ${preset.code}`;
    const buttons = [
      [{}, "at once"],
      [{ afterCommit: true }, "after the commit"],
    ].map(([more, words]) => {
      const button = make("button", { type: "button", ariaLabel: `${name}, ${words}` }, words);
      const fault = { effect: "status", times: 1, ...preset, ...more };
      button.addEventListener("click", () => act(button, () => call("POST", "faults", fault)));
      return button;
    });
    fieldset.append(make("div", { className: "preset" }, make("span", {}, name), ...buttons));
  }
}

function stateForm() {
  const form = $("#state-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act($("button", form), async () => {
      await sendText("PUT", "state", await form.file.files[0].text());
      form.reset();
    });
  });
  $("#reset").addEventListener("click", async ({ currentTarget: button }) => {
    const question = "All identities, assignments, faults and lists are dropped, but for those of the start.";
    if (await sure(question, "Reset")) {
      await act(button, () => call("POST", "reset"));
    }
  });
}

function faultForm() {
  const form = $("#fault");
  const show = () => {
    for (const label of form.querySelectorAll("[data-effect], [data-when]")) {
      const effects = label.dataset.effect?.split(" ") ?? [];
      const shown = effects.includes(form.effect.value) || label.dataset.when === form.when.value;
      label.hidden = !shown;
      $("input, select", label).disabled = !shown;
    }
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { effect, operation, when, percent, code, afterCommit, ...numbers } = Object.fromEntries(new FormData(form));
    const body = { effect };
    if (code) {
      body.code = code;
    }
    if (afterCommit) {
      body.afterCommit = true;
    }
    for (const [name, value] of Object.entries(numbers)) {
      if (value !== "") {
        body[name] = Number(value);
      }
    }
    if (percent !== undefined) {
      body.share = Number(percent) / 100;
    }
    if (operation) {
      body.operation = operation;
    }
    act(event.submitter ?? $("button", form), () => call("POST", "faults", body));
  });
  show();
}

function settingsForm() {
  const form = $("#setting");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const chosen = {
      clockOffsetSeconds: Number(data.get("clockOffsetSeconds")),
      revocationDelaySeconds: Number(data.get("revocationDelaySeconds")),
      withdrawnVersions: data.getAll("withdrawnVersions"),
    };
    // A value that was not edited may have been changed elsewhere since.
    const isChanged = ([name, value]) => JSON.stringify(value) !== JSON.stringify(shownSettings[name]);
    const changes = Object.fromEntries(Object.entries(chosen).filter(isChanged));
    act(event.submitter ?? $("button", form), async () => {
      await call("PATCH", "settings", changes);
      form.dataset.touched = "";
    });
  });
  form.addEventListener("input", () => (form.dataset.touched = "true"));
}

let shownSettings;

/** Fills in the settings, unless they are being edited. */
function settings(now) {
  const form = $("#setting");
  if (form.dataset.touched) {
    return;
  }
  shownSettings = now;
  form.clockOffsetSeconds.value = now.clockOffsetSeconds;
  form.revocationDelaySeconds.value = now.revocationDelaySeconds;
  for (const box of form.querySelectorAll("[name=withdrawnVersions]")) {
    box.checked = now.withdrawnVersions.includes(box.value);
  }
}

const keyFields = [...document.querySelectorAll("[data-kind]")].map(accessKey);

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

async function refresh() {
  const paths = ["resource", "health", "access-keys", "requests", "identities", "tokens", "faults", "settings"];
  const [resource, health, keys, requests, identities, tokens, faults, now] = await Promise.all(
    paths.map((path) => call("GET", path)),
  );
  $("#version").textContent = resource.version;
  const isReady = health.status === "ready";
  $("#health").textContent = isReady ? "ready" : "the data file cannot be written";
  $("#health").className = isReady ? "good" : "bad";
  $("#history").textContent = `Since the start: ${count(resource.imports, "import")}, ${count(resource.resets, "reset")}.`;
  $("#resource-id").textContent = resource.resourceId;
  $("#resource-time").textContent = resource.time;
  keyFields.forEach((show) => show(keys));
  list("requests", requests.requests, (item) => item.number, request);
  list("identities", identities.identities, (item) => item.id, identityItem);
  const shown = identities.identities.length;
  const total = identities.total;
  $(".count").textContent = total > shown ? `${total}, the newest ${shown}:` : total || "";
  list("tokens", tokens.tokens, (item) => item.number, token);
  list("faults", faults.faults, (item) => item.id, fault);
  settings(now);
}

/** Shows the state every second while the page is visible and not paused. */
async function watch() {
  const trouble = $("#trouble");
  for (;;) {
    if (!document.hidden && $("#watch").ariaPressed === "true") {
      try {
        await refresh();
        if (trouble.dataset.lost) {
          delete trouble.dataset.lost;
          trouble.hidden = true;
        }
      } catch (error) {
        trouble.dataset.lost = true;
        trouble.textContent = error.message;
        trouble.hidden = false;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

$("#watch").addEventListener("click", ({ currentTarget: button }) => {
  const live = button.ariaPressed !== "true";
  button.ariaPressed = String(live);
});

faultForm();
presets();
stateForm();
settingsForm();
watch();
