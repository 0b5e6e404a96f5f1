import { describe, expect, test, vi } from 'vitest';
import { PageQuerySender, type PutPageQuery } from './pageQuery';

const QUERY = 'city=K%C3%B6ln&n=3';

function sender(status = 200) {
  const put = vi.fn<PutPageQuery>(async () => ({ ok: status < 400, status }));
  const log = { debug: vi.fn(), warn: vi.fn() };
  return { put, log, sender: new PageQuerySender(put, log) };
}

test.each([QUERY, ''])('sends %j, once per kernel', async (query) => {
  const { put, sender: s } = sender();
  await s.send('k1', query);
  await s.send('k1', query);
  await s.send('k2', '');
  expect(put.mock.calls).toEqual([
    ['k1', { query }],
    ['k2', { query: '' }],
  ]);
});

describe('when it fails', () => {
  test.each([
    ['a status', async () => ({ ok: false, status: 500 }), /status 500/],
    ['no answer', () => Promise.reject(new TypeError('no network')), /no network/],
  ])('%s is warned of once, and the next call tries again', async (_, failing, text) => {
    const { put, log, sender: s } = sender();
    put.mockImplementationOnce(failing).mockImplementationOnce(failing);
    await s.send('k1', QUERY);
    await s.send('k1', QUERY);
    expect(log.warn).toHaveBeenCalledOnce();
    expect(log.warn).toHaveBeenCalledWith(expect.stringMatching(text));
    await s.send('k1', QUERY);
    expect(put).toHaveBeenCalledTimes(3);
    await s.send('k1', QUERY);
    expect(put).toHaveBeenCalledTimes(3);
  });

  test('404 is no fault: one debug line, no second try', async () => {
    const { put, log, sender: s } = sender(404);
    await s.send('k1', QUERY);
    await s.send('k1', QUERY);
    await s.send('k2', QUERY);
    expect(put.mock.calls.map(([id]) => id)).toEqual(['k1', 'k2']);
    expect(log.debug).toHaveBeenCalledOnce();
    expect(log.warn).not.toHaveBeenCalled();
  });

  test('the query is in no log line', async () => {
    const { log, sender: s } = sender(403);
    await s.send('k1', QUERY);
    expect(JSON.stringify(log.warn.mock.calls)).not.toMatch(/city|ln/);
  });
});
