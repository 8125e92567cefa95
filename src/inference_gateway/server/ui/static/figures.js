// From figures that only grow to what happened between two looks. Pure.

/** Seconds that a point of a chart is an average over. */
export const SMOOTH = 10;
const LONGEST = 15 * 60;
const GAP = 12;
const SOONEST = 0.4; // what happened within less says nothing about a second

export const OUTCOMES = [
  { id: "complete", title: "Complete", meaning: "answered, and the answer is whole", tone: "good" },
  { id: "provider_error", title: "Provider error", meaning: "the provider answered with an error, or not at all", tone: "bad" },
  { id: "cut", title: "Cut", meaning: "the provider’s answer broke off", tone: "bad" },
  { id: "stalled", title: "Stalled", meaning: "the provider took longer than it may", tone: "bad" },
  { id: "rejected", title: "Rejected", meaning: "refused by the gateway", tone: "warn" },
  { id: "client_gone", title: "Client gone", meaning: "the client left before the end", tone: "plain" },
  { id: "cancelled", title: "Cancelled", meaning: "ended by the gateway’s shutdown", tone: "plain" },
];
const BAD = OUTCOMES.filter((each) => each.tone === "bad").map((each) => each.id);

/** Sums that were looked at, each at its time; begins anew where the gateway did. */
export class History {
  constructor() {
    this.points = [];
    this.started = null;
  }

  /** Take a status in; returns whether the gateway was started anew since the one before. */
  add(status) {
    const counted = status.counted;
    if (!counted) return false;
    const restarted = this.started !== null && this.started !== counted.started;
    if (restarted) this.points = [];
    this.started = counted.started;
    const last = this.points.at(-1);
    if (last && status.now < last.t + SOONEST) return restarted;
    const point = { t: status.now, f: { ...counted.figures, models: shared(last?.f.models ?? [], counted.figures.models) } };
    this.points.push(point);
    point.shortly = this.#before(point, this.points.length - 1);
    const oldest = status.now - LONGEST - SMOOTH;
    while (this.points[0].t < oldest) this.points.shift();
    return restarted;
  }

  /** Points of the last so many seconds. */
  within(seconds) {
    const last = this.points.at(-1);
    return last ? this.points.filter((each) => each.t >= last.t - seconds) : [];
  }

  /** What happened in the last so many seconds, null where there is not enough to tell. */
  between(seconds) {
    const points = this.within(seconds);
    return points.length > 1 ? difference(points[0], points.at(-1)) : null;
  }

  /** A series for each function: what it makes of what happened shortly before each point. */
  series(seconds, functions) {
    const points = this.within(seconds);
    const times = points.map((point) => point.t);
    return { times, values: functions.map((make) => points.map(({ shortly }) => (shortly ? make(shortly) : null))) };
  }

  #before(point, place) {
    if (place > 0 && point.t - this.points[place - 1].t > GAP) return null;
    let from = place;
    while (from > 0 && point.t - this.points[from].t < SMOOTH && point.t - this.points[from - 1].t < SMOOTH * 2) from -= 1;
    return from < place ? difference(this.points[from], point) : null;
  }
}

function difference(from, to) {
  const a = from.f;
  const b = to.f;
  return {
    seconds: to.t - from.t,
    open: b.open,
    outcomes: subtract(a.outcomes, b.outcomes),
    refused: subtract(a.refused, b.refused),
    tools: subtract(a.tools, b.tools),
    input: b.input_tokens - a.input_tokens,
    output: b.output_tokens - a.output_tokens,
    duration: spread(a.duration, b.duration),
    firstToken: spread(a.first_token, b.first_token),
    overhead: spread(a.overhead, b.overhead),
    // There may be hundreds of models, and charts do not ask for them.
    get models() {
      return asked(a.models, b.models);
    },
    get providers() {
      return Object.fromEntries(b.providers.map((each) => [
        each.provider,
        subtract(a.providers.find((other) => other.provider === each.provider)?.outcomes ?? {}, each.outcomes),
      ]));
    },
  };
}

const keyOf = (each) => `${each.provider} ${each.model}`;

function byKey(models) {
  return new Map(models.map((each) => [keyOf(each), each]));
}

/** Models as they are now, those that nobody asked since as the same objects as before: a page stays open for long. */
function shared(before, models) {
  const known = byKey(before);
  return models.map((model) => {
    const old = known.get(keyOf(model));
    const isSame = old && Object.keys(model).every((name) => model[name] === old[name]);
    return isSame ? old : model;
  });
}

function asked(before, after) {
  const known = byKey(before);
  return after.map((model) => {
    const old = known.get(keyOf(model));
    const less = (name) => model[name] - (old ? old[name] : 0);
    return { ...model, requests: less("requests"), input: less("input_tokens"), output: less("output_tokens") };
  }).filter((model) => model.requests > 0);
}

function subtract(a, b) {
  return Object.fromEntries(Object.entries(b).map(([name, count]) => [name, count - (a[name] ?? 0)]));
}

function spread(a, b) {
  return { bounds: b.bounds, counts: b.counts.map((count, place) => count - a.counts[place]) };
}

/** All requests that ended. */
export function ended(between) {
  return Object.values(between.outcomes).reduce((sum, count) => sum + count, 0);
}

/** Those that ended badly on the provider's side. */
export function failed(between) {
  return BAD.reduce((sum, name) => sum + (between.outcomes[name] ?? 0), 0);
}

/** The value that a share of all values is below, read off its bucket in proportion; null without values. */
export function quantile({ bounds, counts }, share) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (!(all > 0)) return null;
  let below = 0;
  for (let place = 0; place < bounds.length; place += 1) {
    const here = counts[place];
    if (below + here >= share * all && here > 0) {
      const lower = place ? bounds[place - 1] : 0;
      return lower + ((share * all - below) / here) * (bounds[place] - lower);
    }
    below += here;
  }
  return bounds.at(-1);
}
