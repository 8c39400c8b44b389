// Moments on the wall clock of the reader's zone, which is the one that all pages use and seldom the browser's.

const PARTS = { hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };

const format = (zone) => new Intl.DateTimeFormat("en-US", { ...PARTS, timeZone: zone });

export class Zone {
  // A zone that this browser does not know is replaced by the browser's own; `name` tells which one it is.
  constructor(name) {
    try {
      this.format = format(name);
      this.name = name;
    } catch {
      this.format = format(undefined);
      this.name = this.format.resolvedOptions().timeZone;
    }
  }

  // {year, month, …, second} as texts, of a moment in ms
  parts(at) {
    return Object.fromEntries(this.format.formatToParts(at).map(({ type, value }) => [type, value]));
  }

  // The moment in ms as date and time.
  clock(at) {
    const { year, month, day, hour, minute, second } = this.parts(at);
    return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
  }

  // The moment in ms at which the wall clock shows this; of two, the first.
  moment(year, month, day, hour, minute, second) {
    const shown = Date.UTC(year, month - 1, day, hour, minute, second);
    const offset = (at) => {
      const read = this.parts(at);
      return Date.UTC(read.year, read.month - 1, read.day, read.hour, read.minute, read.second) - at;
    };
    const candidates = [shown - offset(shown - 86_400_000), shown - offset(shown + 86_400_000)].sort((one, other) => one - other);
    return candidates.find((at) => at + offset(at) === shown) ?? candidates[1];
  }

  // The moment that somebody means by a time of day, or by a date and a time, in a log that began at a moment; NaN for
  // anything else. A time of day before the beginning is one of the next day.
  read(text, began) {
    const found = /^(?:(\d{4})-(\d\d?)-(\d\d?)[ T]+)?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(text);
    if (!found) {
      return Date.parse(text);
    }
    const time = [found[4], found[5], found[6] ?? 0].map(Number);
    if (found[1]) {
      return this.moment(...found.slice(1, 4).map(Number), ...time);
    }
    const { year, month, day } = this.parts(began);
    const unit = found[6] === undefined ? 60_000 : 1000;
    const same = this.moment(Number(year), Number(month), Number(day), ...time);
    return same < Math.floor(began / unit) * unit ? this.moment(Number(year), Number(month), Number(day) + 1, ...time) : same;
  }
}
