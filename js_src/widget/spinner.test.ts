import { beforeEach, expect, test } from 'vitest';
import { Announcement, LASTING_MS } from './spinner';

let said: string[];
let timers: Map<number, () => void>;
let announcement: Announcement;

function elapse(): void {
  for (const [timer, callback] of [...timers]) {
    timers.delete(timer);
    callback();
  }
}

beforeEach(() => {
  said = [];
  timers = new Map();
  let made = 0;
  announcement = new Announcement((text) => said.push(text), {
    set: (callback, ms) => {
      expect(ms).toBe(LASTING_MS);
      made += 1;
      timers.set(made, callback);
      return made;
    },
    clear: (timer) => timers.delete(timer),
  });
});

test('says what lasts, once', () => {
  announcement.set('busy');
  announcement.set('busy');
  elapse();
  announcement.set('busy');
  elapse();
  expect(said).toEqual(['busy']);
});

test('is silent on what passes', () => {
  announcement.set('idle');
  elapse();
  announcement.set('busy');
  announcement.set('idle');
  elapse();
  expect(said).toEqual(['idle']);
});

test('says nothing after the end', () => {
  announcement.set('busy');
  announcement.stop();
  elapse();
  expect(said).toEqual([]);
});
