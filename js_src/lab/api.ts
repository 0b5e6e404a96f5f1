/** The server's REST API, as `openapi.yaml` describes it. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type {
  CallbackChange,
  KernelAnswer,
  Order,
  Run,
  RunListing,
  SessionListing,
  TaskListing,
} from '../shared/rest';
import { ApiError, type OrderAnswer, type OrderOptions, type SidebarApi } from './model/interfaces';

/** Speaks with the server as Lab does: its token, its XSRF cookie, its base URL. */
export class NBSessionApi implements SidebarApi {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  listTasks(): Promise<TaskListing> {
    return this.get('tasks');
  }

  /** `limit` runs at the most, the newest first, without their texts. */
  listRuns(name: string, limit: number): Promise<RunListing> {
    return this.get(`${path('tasks', name, 'runs')}?limit=${limit}&text=false`);
  }

  showRun(name: string, id: number): Promise<Run> {
    return this.get(path('tasks', name, 'runs', String(id)));
  }

  orderTask(name: string, order: Order, options: OrderOptions = {}): Promise<OrderAnswer> {
    return this.post(path('tasks', name, order), options);
  }

  listSessions(): Promise<SessionListing> {
    return this.get('sessions');
  }

  setCallback(kernelId: string, id: string, change: CallbackChange): Promise<KernelAnswer> {
    return this.post(path('sessions', kernelId, 'callbacks', id), change);
  }

  orderSessionTask(kernelId: string, name: string, order: Order): Promise<KernelAnswer> {
    return this.post(path('sessions', kernelId, 'tasks', name, order), {});
  }

  private get<Answer>(where: string): Promise<Answer> {
    return this.request(where, { method: 'GET' });
  }

  private post<Answer>(where: string, body: object): Promise<Answer> {
    return this.request(where, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  private async request<Answer>(where: string, init: RequestInit): Promise<Answer> {
    const url = `${URLExt.join(this.settings.baseUrl, 'nbsession/api')}/${where}`;
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      throw ApiError.withoutAnswer(error);
    }
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      throw ApiError.from(response.status, body);
    }
    if (body === null) {
      // A login page or a proxy's: not of our server.
      throw new ApiError(response.status, 'unknown', 'The server has answered with no JSON.');
    }
    return body as Answer;
  }
}

/** A path whose parts may hold anything, slashes too. */
function path(...parts: string[]): string {
  return parts.map(encodeURIComponent).join('/');
}
