import { ServerConnection } from '@jupyterlab/services';
import { expect, test, vi } from 'vitest';
import { NBSessionApi } from './api';
import { ApiError } from './model';

function serverThat(answer: () => Response | Promise<Response>) {
  const fetch = vi.fn(async (_: Request) => answer());
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://h/user/ada/',
    fetch: fetch as unknown as typeof globalThis.fetch,
    token: 'secret',
  });
  return { fetch, api: new NBSessionApi(settings) };
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });

test('asks below the base URL, with the token', async () => {
  const { fetch, api } = serverThat(() => json({ tasks: [] }));
  expect(await api.listTasks()).toEqual({ tasks: [] });
  const [request] = fetch.mock.calls[0] as [Request];
  expect(request.url).toMatch('http://h/user/ada/nbsession/api/tasks');
  expect(request.headers.get('Authorization')).toBe('token secret');
});

test.each<[(api: NBSessionApi) => Promise<unknown>, string, string, unknown]>([
  [(api) => api.listRuns('a', 50), 'GET', 'tasks/a/runs?limit=50&text=false', null],
  [(api) => api.showRun('a/b?', 7), 'GET', 'tasks/a%2Fb%3F/runs/7', null],
  [(api) => api.orderTask('ä', 'run'), 'POST', 'tasks/%C3%A4/run', {}],
  [(api) => api.orderTask('a', 'cancel', { wait: true }), 'POST', 'tasks/a/cancel', { wait: true }],
  [
    (api) => api.setCallback('k', '1', { period: 5 }),
    'POST',
    'sessions/k/callbacks/1',
    { period: 5 },
  ],
  [(api) => api.orderSessionTask('k', 't', 'pause'), 'POST', 'sessions/k/tasks/t/pause', {}],
])('%s', async (ask, method, path, body) => {
  const { fetch, api } = serverThat(() => json({}));
  await ask(api);
  const [request] = fetch.mock.calls[0] as [Request];
  const url = new URL(request.url);
  expect(request.method).toBe(method);
  // JupyterLab adds the time to what it does not want from a cache.
  expect(`${url.pathname}${url.search}`.replace(/[?&]\d+$/, '')).toBe(
    `/user/ada/nbsession/api/${path}`,
  );
  const sent = await request.text();
  expect(sent === '' ? null : JSON.parse(sent)).toEqual(body);
});

test.each<[string, () => Response, Partial<ApiError>]>([
  [
    'ours',
    () => json({ message: 'no task', kind: 'no_such_task' }, 404),
    { status: 404, kind: 'no_such_task', message: 'no task' },
  ],
  [
    'of jupyter_server',
    () => json({ message: 'Forbidden', reason: null }, 403),
    { status: 403, kind: 'unknown', message: 'Forbidden' },
  ],
  [
    'of a proxy',
    () => new Response('<html>', { status: 502 }),
    { status: 502, kind: 'unknown', message: 'HTTP 502' },
  ],
  [
    'a login page',
    () => new Response('<html>', { status: 200 }),
    { status: 200, kind: 'unknown', message: 'The server has answered with no JSON.' },
  ],
])('an answer that refuses, %s', async (_, answer, error) => {
  const failure = await serverThat(answer)
    .api.listTasks()
    .catch((thrown) => thrown);
  expect(failure).toBeInstanceOf(ApiError);
  expect({ ...failure, message: failure.message }).toMatchObject(error);
});

test('no answer', async () => {
  const { api } = serverThat(() => Promise.reject(new TypeError('Failed to fetch')));
  const failure = await api.listSessions().catch((thrown) => thrown);
  expect(failure).toBeInstanceOf(ApiError);
  expect(failure).toMatchObject({ status: 0, kind: 'network' });
});
