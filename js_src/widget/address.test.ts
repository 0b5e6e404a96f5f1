import { beforeEach, describe, expect, test, vi } from 'vitest';
import { NOTEBOOKS } from '../shared/notebooks';
import type { Hello, LocationParts, Navigate } from '../shared/pageMessages';
import { FakeBrowser, FakeKernel, FakeModel, FakeNotebooks } from '../testing/fakePage';
import { connect } from './page';

const HREF = 'http://h/lab/tree/k1.ipynb?of=the-page#part';

let browser: FakeBrowser;
let notebooks: FakeNotebooks;
let kernel: FakeKernel;
let model: FakeModel;
let page: string;

function start(kernelId = 'k2'): void {
  kernel = new FakeKernel(kernelId);
  model = new FakeModel();
  model.widget_manager = { kernel };
  connect(model, browser);
  page = (model.sent[0] as Hello).page;
}

function navigate(parts: LocationParts, more: Partial<Navigate> = {}): void {
  model.sent = [];
  const command = { kind: 'navigate', page, serial: 1, parts, history: 'push', reload: false };
  model.receive({ ...command, ...more });
}

beforeEach(() => {
  browser = new FakeBrowser(HREF);
  notebooks = new FakeNotebooks();
  browser[NOTEBOOKS] = notebooks;
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

describe('a page of JupyterLab with several notebooks', () => {
  test('says where its own notebook is', () => {
    notebooks.write('k2', { search: '?n=1', hash: '#x' });
    start();
    const { known, location } = model.take('hello')[0] as Hello;
    expect([location.href, location.pathname, location.search, location.hash, known]).toEqual([
      'http://h/lab/tree/k2.ipynb?n=1#x',
      '/lab/tree/k2.ipynb',
      '?n=1',
      '#x',
      true,
    ]);
  });

  test('says that what the kernel has counts', () => {
    notebooks.urls.set('k2', { ...notebooks.url('k2'), known: false });
    start();
    expect((model.sent[0] as Hello).known).toBe(false);
    navigate({ search: '?n=5', hash: '#x' }, { history: 'replace' });
    expect(model.sent).toMatchObject([
      { kind: 'location', applied: 1, known: true, location: { search: '?n=5', hash: '#x' } },
    ]);
  });

  test('reports changes of its own URL only', () => {
    start();
    model.sent = [];
    notebooks.write('k1', { search: '?n=1' });
    browser.history.pushState(null, '', '/lab/tree/other.ipynb?n=2');
    expect(model.sent).toEqual([]);
    notebooks.write('k2', { search: '?n=3' });
    expect(model.take('location').map(({ location }) => location.search)).toEqual(['?n=3']);
  });

  test('writes its own URL, and leaves the history to JupyterLab', () => {
    start();
    navigate({ search: '?a=%20b+c&token=no', hash: '#x' });
    expect(notebooks.url('k2')).toMatchObject({ search: '?a=%20b+c', hash: '#x' });
    expect(browser.entries).toEqual([HREF]);
    expect(model.take('location').map(({ applied }) => applied)).toEqual([1]);
  });

  test('keeps the path that JupyterLab has given it', () => {
    start();
    navigate({ pathname: '/elsewhere', search: '?n=1' });
    expect(model.take('location').map(({ location }) => location.href)).toEqual([
      'http://h/lab/tree/k2.ipynb?n=1',
    ]);
  });

  test('loads another page only while it is in front', () => {
    start();
    navigate({ search: '?n=1' }, { reload: true });
    expect([browser.loads, notebooks.url('k2').search]).toEqual([[], '?n=1']);
    notebooks.kernelInFront = 'k2';
    navigate({ pathname: '/lab/tree/other.ipynb' }, { reload: true, serial: 2 });
    expect(browser.loads).toEqual(['assign http://h/lab/tree/other.ipynb?n=1']);
  });

  test('says goodbye when its notebook is closed, and nothing of where it was', () => {
    start();
    model.sent = [];
    notebooks.setClosed('k1', true);
    expect(model.sent).toEqual([]);
    notebooks.setClosed('k2', true);
    notebooks.urls.set('k2', { pathname: '/lab', search: '', hash: '', known: false });
    notebooks.dispatchEvent(new Event('change'));
    expect(model.sent).toEqual([{ kind: 'goodbye', page }]);
  });

  test('says hello when another notebook shows the kernel then', () => {
    start();
    notebooks.setClosed('k2', true);
    notebooks.urls.set('k2', { ...notebooks.url('k2'), known: false });
    model.sent = [];
    notebooks.setClosed('k2', false);
    expect(model.sent).toMatchObject([{ kind: 'hello', page, answer: false, known: false }]);
  });

  test('is silent once its connection is closed', () => {
    start();
    kernel.dispose();
    model.sent = [];
    notebooks.write('k2', { search: '?n=1' });
    browser.fire('focus');
    expect([model.sent, notebooks.listenerCount, browser.listenerCount]).toEqual([[], 0, 0]);
  });
});

test('without the labextension, or a kernel, it is the URL of the page', () => {
  model = new FakeModel();
  connect(model, browser);
  expect((model.sent[0] as Hello).location.href).toBe(HREF);
  browser[NOTEBOOKS] = undefined;
  start();
  expect((model.sent[0] as Hello).location.href).toBe(HREF);
});
