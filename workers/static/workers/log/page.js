// The page of one log: reads the index, shows the end, and follows what still runs.

import { Search } from "./search.js";
import { AWAY, Follower } from "./socket.js";
import { Store } from "./store.js";
import { View } from "./view.js";
import { Zone } from "./zone.js";

const PROGRESS = /^progress: ([\d.e+-]+)(?:\/([\d.e+-]+))?(?: \(\d+ %\))? ?(.*)$/;

const remembered = (key, otherwise) => {
  try {
    return localStorage.getItem(`rota-log-${key}`) ?? otherwise;
  } catch {
    return otherwise;
  }
};

const remember = (key, value) => {
  try {
    localStorage.setItem(`rota-log-${key}`, value);
  } catch {
    // A browser that keeps nothing forgets this too.
  }
};

const ask = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  return answer.json();
};

const pause = (milliseconds) => new Promise((done) => {
  setTimeout(done, milliseconds);
});

const start = (root) => {
  const words = JSON.parse(document.getElementById("rota-log-words").textContent);
  const { api, socket } = root.dataset;
  const find = (name) => root.querySelector(`[data-log="${name}"]`);
  const notice = find("notice");
  const say = (text) => {
    notice.textContent = text;
    notice.hidden = text === "";
  };

  const box = find("box");
  let view = null;
  const store = new Store(
    async (after, limit) => {
      try {
        return (await ask(`${api}log/?after=${after}&limit=${Math.min(limit, 500)}`)).chunks;
      } catch (error) {
        if (error.message === "404") {
          // The execution was removed, and its log with it.
          return [];
        }
        throw error;
      }
    },
    () => view.draw(),
  );
  const followButton = find("follow");
  let unseen = 0;
  const showFollowing = (follows) => {
    if (follows) {
      unseen = 0;
    }
    followButton.setAttribute("aria-pressed", String(follows));
    find("follow-words").textContent = follows ? words.following : unseen ? `${words.follow} (+${unseen})` : words.follow;
  };
  const goTo = (number) => {
    view.marked = number - 1;
    view.aim(store.place(number - 1));
  };
  const linked = (number) => {
    view.marked = number;
    history.replaceState(null, "", `#L${number + 1}`);
    if (navigator.clipboard) {
      navigator.clipboard.writeText(location.href).then(() => say(words.copied), () => {});
      setTimeout(() => notice.textContent === words.copied && say(""), 2000);
    }
    view.draw();
  };
  const started = Date.parse(root.dataset.started);
  const zone = new Zone(root.dataset.zone);
  view = new View(box, store, { words, started, zone, moved: showFollowing, linked });

  const progress = find("progress");
  const showProgress = (chunk) => {
    if (chunk.stream !== "log" || !chunk.text.includes("progress: ")) {
      return;
    }
    const lines = chunk.text.slice(-4000).split("\n");
    for (let at = lines.length - 1; at >= 0; at -= 1) {
      const found = PROGRESS.exec(lines[at]);
      if (found) {
        progress.hidden = false;
        const bar = progress.querySelector("progress");
        if (found[2] !== undefined && Number(found[2]) > 0) {
          bar.max = Number(found[2]);
          bar.value = Number(found[1]);
        } else {
          bar.removeAttribute("value");
        }
        progress.querySelector("span").textContent = lines[at].slice("progress: ".length, 300);
        return;
      }
    }
  };

  const streams = find("stream");
  const showStreams = () => {
    for (const name of store.streams) {
      if (![...streams.options].some((option) => option.value === name)) {
        streams.add(new Option(name, name));
      }
    }
  };
  const showEmpty = () => {
    find("empty").hidden = store.total > 0;
    box.hidden = store.total === 0;
  };
  const changed = () => {
    showStreams();
    showEmpty();
    view.draw();
  };

  // The controls
  followButton.addEventListener("click", () => {
    if (view.follows) {
      view.go(view.top);
    } else {
      view.follow();
    }
  });
  streams.addEventListener("change", () => {
    const number = store.total ? store.number(Math.min(view.top, store.total - 1)) : 0;
    const followed = view.follows;
    store.select(streams.value);
    changed();
    if (followed) {
      view.follow();
    } else {
      view.go(store.place(number));
    }
  });
  const wrap = find("wrap");
  wrap.checked = remembered("wrap", "yes") === "yes";
  const showWrap = () => box.classList.toggle("rota-log-wrapped", wrap.checked);
  showWrap();
  wrap.addEventListener("change", () => {
    remember("wrap", wrap.checked ? "yes" : "no");
    showWrap();
    view.draw();
  });
  const times = find("times");
  times.querySelector("[value=clock]").textContent += `, ${zone.name}`;
  times.value = remembered("times", "off");
  view.times = times.value || "off";
  times.addEventListener("change", () => {
    remember("times", times.value);
    view.times = times.value;
    view.draw();
  });
  const jump = find("jump");
  jump.querySelector("input").title = zone.name;
  jump.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = jump.querySelector("input");
    const wanted = input.value.trim();
    if (notice.textContent === words.jump) {
      say("");
    }
    if (/^#?L?\d+$/i.test(wanted)) {
      goTo(Number(wanted.replace(/\D/g, "")));
      return;
    }
    const moment = zone.read(wanted, started);
    if (Number.isNaN(moment)) {
      say(words.jump);
      return;
    }
    const line = store.at(moment);
    view.marked = store.total ? store.number(line) : -1;
    view.go(line);
  });
  const search = new Search(find("search"), {
    find: (text, stream) => ask(`${api}log/search/?text=${encodeURIComponent(text)}&stream=${encodeURIComponent(stream)}`),
    go: goTo,
    stream: () => streams.value,
    grown: () => store.after,
    sought: (text) => {
      view.sought = text;
      view.draw();
    },
    words,
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      search.input.focus();
    }
  });
  const toHash = () => {
    const found = /^#L(\d+)$/.exec(location.hash);
    if (found) {
      goTo(Number(found[1]));
    }
  };
  window.addEventListener("hashchange", toHash);

  // What the server has now, then what it writes from now on
  let lastSaid = -1;
  const read = async () => {
    for (;;) {
      const part = await ask(`${api}log/index/?after=${store.after}`);
      const spoken = part.stream.lastIndexOf("log");
      lastSaid = spoken < 0 ? lastSaid : part.seq[spoken];
      part.seq.forEach((seq, at) => store.add({
        seq,
        stream: part.stream[at],
        at: part.at[at],
        bytes: part.bytes[at],
        lines: part.lines[at],
        unended: part.unended[at],
      }));
      if (!part.more) {
        return part.complete;
      }
    }
  };
  const readPatiently = async () => {
    for (let wait = 500; ; wait = Math.min(wait * 2, 15000)) {
      try {
        const complete = await read();
        say("");
        return complete;
      } catch (error) {
        say(["401", "403", "404"].includes(error.message) ? words.refused : words.unreachable);
        await pause(wait);
      }
    }
  };
  const showState = async () => {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.pathname)).text(), "text/html");
      const facts = page.querySelector(".rota-facts");
      if (facts) {
        document.querySelector(".rota-facts").replaceWith(document.adoptNode(facts));
      }
    } catch {
      // The log itself is complete; the word above it is right after a reload.
    }
  };
  let silenced = false;
  const complain = (text) => {
    silenced = true;
    say(text);
  };
  const follow = () => new Follower(socket, () => store.after, {
    // Not when the connection is open, as that does not tell whether there is anything behind it.
    heard: () => {
      if (silenced) {
        silenced = false;
        say("");
      }
    },
    silent: () => complain(words.silent),
    lost: (seconds, code) => complain((code === AWAY ? words.away : words.lost).replace("%(seconds)s", seconds)),
    refused: (reason) => say(`${words.refused} ${reason}`),
    chunks: (chunks) => {
      const before = store.total;
      for (const chunk of chunks) {
        if (store.add(chunk)) {
          showProgress(chunk);
        }
      }
      if (!view.follows) {
        unseen += store.total - before;
        showFollowing(false);
      }
      changed();
    },
    final: () => {
      root.dataset.ended = "yes";
      find("nothing").textContent = words.nothingWritten;
      showState();
    },
  });

  readPatiently().then((complete) => {
    root.dataset.ended = complete ? "yes" : "no";
    changed();
    view.follow();
    toHash();
    if (!complete) {
      follow();
      if (lastSaid >= 0) {
        // How far it was when the page was opened; whatever comes later says more.
        ask(`${api}log/?after=${lastSaid - 1}&limit=1`).then((said) => progress.hidden && said.chunks.forEach(showProgress), () => {});
      }
    }
  });
};

const root = document.getElementById("rota-log-viewer");
root.hidden = false;
start(root);
