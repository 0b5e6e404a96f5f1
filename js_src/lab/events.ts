/** What the model takes from JupyterLab's service manager. */
import type { Event, ServiceManager, Session } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';
import type { EventSource, Notebook, Notebooks } from './model';

type Services = Pick<ServiceManager.IManager, 'events' | 'sessions' | 'connectionFailure'>;

/** After the socket was closed, how often is looked whether there is another one. */
const LOOK_MS = 500;

/**
 * The events over the socket that JupyterLab keeps.
 *
 * JupyterLab connects again by itself, but does not say so, and what was emitted meanwhile is lost: so
 * this looks at its socket. Where a version has none, only failing requests tell of trouble.
 */
export class LabEvents implements EventSource {
  private readonly slots = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private followed: WebSocket | null = null;

  constructor(private readonly services: Services) {}

  listen(slot: (event: unknown) => void): () => void {
    const { stream } = this.services.events;
    const listener = (_: unknown, event: Event.Emission) => slot(event);
    stream.connect(listener);
    return () => {
      stream.disconnect(listener);
    };
  }

  get isOpen(): boolean | null {
    const socket = this.socket;
    return socket === undefined ? null : socket?.readyState === WebSocket.OPEN;
  }

  follow(slot: () => void): () => void {
    this.slots.add(slot);
    if (this.slots.size === 1) {
      this.services.connectionFailure.connect(this.tell, this);
      this.look();
    }
    return () => {
      this.slots.delete(slot);
      if (this.slots.size === 0) {
        this.services.connectionFailure.disconnect(this.tell, this);
        this.unfollow();
        clearInterval(this.timer);
        this.timer = undefined;
      }
    };
  }

  /** Undefined where this version of JupyterLab keeps it elsewhere. */
  private get socket(): WebSocket | null | undefined {
    return (this.services.events as { _socket?: WebSocket | null })._socket;
  }

  private readonly look = (): void => {
    const { socket } = this;
    if (socket === undefined) {
      return;
    }
    if (socket !== this.followed) {
      this.unfollow();
      this.followed = socket;
      socket?.addEventListener('open', this.look);
      socket?.addEventListener('close', this.look);
    }
    const isOpen = socket?.readyState === WebSocket.OPEN;
    if (isOpen) {
      clearInterval(this.timer);
      this.timer = undefined;
    } else {
      this.timer ??= setInterval(this.look, LOOK_MS);
    }
    this.tell();
  };

  private unfollow(): void {
    this.followed?.removeEventListener('open', this.look);
    this.followed?.removeEventListener('close', this.look);
    this.followed = null;
  }

  private tell(): void {
    for (const slot of [...this.slots]) {
      slot();
    }
  }
}

/** Which notebook a kernel runs for, by JupyterLab's own list of sessions. */
export class LabNotebooks implements Notebooks {
  private readonly signal = new Signal<this, void>(this);
  private models: Map<string, Session.IModel> | null = null;

  constructor(private readonly sessions: Session.IManager) {
    sessions.runningChanged.connect(() => {
      this.models = null;
      this.signal.emit();
    });
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  find(kernelId: string): Notebook | null {
    this.models ??= new Map(
      [...this.sessions.running()].map((model) => [model.kernel?.id ?? '', model]),
    );
    const model = this.models.get(kernelId);
    if (!model) {
      return null;
    }
    return { name: model.name, path: model.path };
  }
}
