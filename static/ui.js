/* What pages do in the browser beyond htmx: send a form to the API as JSON, and keep the reader's place at a refresh. */
"use strict";

const trouble = (text) => {
  const notice = document.getElementById("trouble");
  notice.textContent = text;
  notice.hidden = !text;
};

const refresh = () => document.querySelectorAll("[hx-get]").forEach((part) => {
  htmx.ajax("GET", part.getAttribute("hx-get"), { target: part, swap: "outerHTML" });
});

const told = async (answer) => {
  try {
    return (await answer.json()).errors.map((error) => error.detail).join(" ");
  } catch {
    return `The server answered ${answer.status}.`;
  }
};

const send = async (form, button) => {
  const { csrf } = document.body.dataset;
  const fields = { ...JSON.parse(form.dataset.json || "{}"), ...Object.fromEntries(new FormData(form)) };
  const answer = await fetch(button?.dataset.api || form.dataset.api, {
    method: form.dataset.method || "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify(fields),
  });
  if (!answer.ok) {
    trouble(await told(answer));
  } else if (form.dataset.goto) {
    location.assign(form.dataset.goto + (answer.status === 204 ? "" : (await answer.json()).number));
  } else {
    trouble("");
    document.activeElement?.blur();
    refresh();
  }
};

/* Arguments as a shell parts them: by blanks, but not within quotes. */
const parted = (text) => [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([part]) => part.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));

const line = (...parts) => {
  const made = document.createElement("p");
  made.append(...parts);
  return made;
};

const made = (kind, fields) => Object.assign(document.createElement(kind), fields);

/* A function of a program, which an agent calls: shown until that has ended, then with what came of it. */
const follow = async (operation) => {
  const place = document.getElementById("called");
  const { operations, jobs } = place.dataset;
  const { entry, program } = operation.arguments;
  const job = (number) => made("a", { href: jobs + number, textContent: `job ${number}` });
  const shown = made("article", { className: "node" });
  shown.append(line(`An agent calls ${entry} of ${program}: `, job(operation.job_number)));
  place.prepend(shown);
  while (!operation.ended_at) {
    await new Promise((looked) => { setTimeout(looked, 500); });
    const answer = await fetch(`${operations}/${operation.id}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.ok) operation = await answer.json();
    else if (answer?.status === 404) return trouble("The operation is no longer there.");
  }
  const { failure, outcome } = operation;
  if (failure) {
    shown.append(made("pre", { className: "bad", textContent: failure.text }));
  } else if (operation.kind === "run") {
    shown.append(line(`${entry} has described `, job(outcome.job), "."));
  } else {
    const source = `${operations}/${operation.id}/plan.svg`;
    const image = made("img", { src: source, alt: `Plan of ${outcome.name}` });
    shown.append(line(`${entry} has described ${outcome.name}.`), image);
  }
  return undefined;
};

const settle = async (answer, form) => {
  if (!answer.ok) {
    trouble(await told(answer));
  } else if (answer.status === 202) {
    trouble("");
    await follow(await answer.json());
  } else if (form.dataset.goto) {
    location.assign(form.dataset.goto + (await answer.json()).number);
  } else {
    trouble("");
    form.reset();
    document.activeElement?.blur();
    refresh();
  }
};

const upload = async (form) => {
  const headers = { Accept: "application/json", "X-CSRFToken": document.body.dataset.csrf };
  await settle(await fetch(form.dataset.upload, { method: "POST", headers, body: new FormData(form) }), form);
};

const run = async (form, button) => {
  const { entry, arguments: line, parallelism } = Object.fromEntries(new FormData(form));
  const body = JSON.stringify({ entry, arguments: parted(line), parallelism: parallelism ? Number(parallelism) : null });
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": document.body.dataset.csrf };
  await settle(await fetch(button?.dataset.program || form.dataset.program, { method: "POST", headers, body }), form);
};

document.addEventListener("submit", (event) => {
  const own = event.target.closest("form[data-upload], form[data-program]");
  if (!own) return;
  event.preventDefault();
  (own.dataset.upload ? upload : run)(own, event.submitter).catch(() => trouble("The server does not answer."));
});

/* A file that is dropped on the page of programs is taken by its form. */
document.addEventListener("dragover", (event) => document.getElementById("upload") && event.preventDefault());
document.addEventListener("drop", (event) => {
  const form = document.getElementById("upload");
  if (!form || !event.dataTransfer.files.length) return;
  event.preventDefault();
  form.querySelector("input[type=file]").files = event.dataTransfer.files;
  form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-api]");
  if (!form) return;
  event.preventDefault();
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) return;
  send(form, event.submitter).catch(() => trouble("The server does not answer."));
});

/* Nobody looks at a hidden page, and a form that is being filled in is not taken away. */
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  const writes = document.activeElement?.matches("input, select") && part.contains(document.activeElement);
  if (document.hidden || writes) event.preventDefault();
});

let kept = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (new URL(event.detail.xhr.responseURL).pathname.endsWith("/ui/login")) {
    event.detail.shouldSwap = false;
    location.reload();
    return;
  }
  kept = [...event.detail.target.querySelectorAll("[id]")].map((part) => ({
    id: part.id,
    left: part.scrollLeft,
    top: part.scrollTop,
    atEnd: part.scrollTop > 0 && part.scrollTop + part.clientHeight >= part.scrollHeight - 4,
    open: part.open,
  }));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const { id, left, top, atEnd, open } of kept) {
    const part = document.getElementById(id);
    if (!part) continue;
    if (open) part.open = true;
    if (left || top) part.scrollTo(left, atEnd ? part.scrollHeight : top);
  }
  kept = [];
  trouble("");
});
document.addEventListener("htmx:sendError", () => trouble("The server does not answer; what you see may be old."));
document.addEventListener("htmx:responseError", (event) => {
  trouble(event.detail.xhr.status === 404 ? "This is no longer there." : `The server answered ${event.detail.xhr.status}.`);
});
