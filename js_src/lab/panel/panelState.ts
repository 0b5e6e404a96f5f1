import { type ISignal, Signal } from '@lumino/signaling';
import { type RunHistory, type SidebarModel, taskKey } from '../model';

export type SectionName = 'tasks' | 'sessions';

/** How long a note of what came of an action stays. */
const NOTE_MS = 10_000;

/**
 * What the user has opened in the panel.
 *
 * It is kept apart from the views, as these come and go while one scrolls, and so that commands and
 * notifications can lead to a task or a run.
 */
export class PanelState {
  private readonly signal = new Signal<this, void>(this);
  /** What is not as it is at first. */
  private readonly toggled = new Set<string>();
  private readonly histories = new Map<string, RunHistory>();
  private readonly notes = new Map<string, string>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private rowTarget: { readonly section: SectionName; readonly key: string } | null = null;
  private runTarget: string | null = null;
  private said = '';
  private isShowingSessions = true;

  constructor(private readonly model: SidebarModel) {
    model.tasks.changed.connect(this.forget, this);
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** True if there is a part for sessions. */
  get showSessions(): boolean {
    return this.isShowingSessions;
  }

  set showSessions(isShowing: boolean) {
    this.isShowingSessions = isShowing;
    this.signal.emit();
  }

  isSectionOpen(section: SectionName): boolean {
    return !this.toggled.has(sectionId(section));
  }

  toggleSection(section: SectionName): void {
    this.toggle(sectionId(section));
  }

  /** True if a task is shown with its runs. */
  isTaskOpen(key: string): boolean {
    return this.toggled.has(key);
  }

  toggleTask(key: string): void {
    this.toggle(key);
  }

  /** True if a session is shown with its callbacks and tasks. */
  isSessionOpen(kernelId: string): boolean {
    return !this.toggled.has(kernelId);
  }

  toggleSession(kernelId: string): void {
    this.toggle(kernelId);
  }

  /** True if a run is shown with its output. */
  isRunOpen(key: string, runId: number): boolean {
    return this.toggled.has(runKey(key, runId));
  }

  toggleRun(key: string, runId: number): void {
    this.toggle(runKey(key, runId));
  }

  /** The runs of a task of the server, read once while it is open; they are kept up to date. */
  history(name: string): RunHistory {
    const key = taskKey(name);
    let history = this.histories.get(key);
    if (!history) {
      history = this.model.tasks.history(name);
      this.histories.set(key, history);
      void history.load();
    }
    return history;
  }

  /** Opens a task, and one of its runs, and has the panel scroll there. */
  reveal(name: string, { kernelId = null, runId = null }: RevealOptions = {}): void {
    const key = taskKey(name, kernelId);
    const section = kernelId === null ? 'tasks' : 'sessions';
    this.toggled.delete(sectionId(section));
    this.toggled.add(key);
    if (kernelId !== null) {
      this.toggled.delete(kernelId);
    } else if (runId !== null) {
      this.runTarget = runKey(key, runId);
      this.toggled.add(this.runTarget);
    }
    this.unfilter(key, kernelId);
    this.rowTarget = { section, key: kernelId ?? key };
    this.signal.emit();
  }

  /** The row that a section is to show; null for none. */
  target(section: SectionName): string | null {
    return this.rowTarget?.section === section ? this.rowTarget.key : null;
  }

  dropTarget(section: SectionName): void {
    if (this.rowTarget?.section === section) {
      this.rowTarget = null;
      this.signal.emit();
    }
  }

  /** True if a run is the one that is to be shown; once. */
  takeRunTarget(key: string, runId: number): boolean {
    const isTarget = this.runTarget === runKey(key, runId);
    if (isTarget) {
      this.runTarget = null;
    }
    return isTarget;
  }

  /** What a screen reader is to say: what came of the user's own action, nothing else. */
  get announcement(): string {
    return this.said;
  }

  announce(text: string): void {
    // The same text again is only said if it differs.
    this.said = text === this.said ? `${text}\u00a0` : text;
    this.signal.emit();
  }

  /** What came of an action on a task, if that does not show by itself. */
  note(key: string): string | null {
    return this.notes.get(key) ?? null;
  }

  setNote(key: string, text: string): void {
    this.notes.set(key, text);
    clearTimeout(this.timers.get(key));
    const timer = setTimeout(() => {
      this.timers.delete(key);
      this.notes.delete(key);
      this.signal.emit();
    }, NOTE_MS);
    this.timers.set(key, timer);
    this.signal.emit();
  }

  dispose(): void {
    for (const timer of this.timers.values()) {
      clearTimeout(timer);
    }
    for (const history of this.histories.values()) {
      history.dispose();
    }
    this.model.tasks.changed.disconnect(this.forget, this);
    Signal.clearData(this);
  }

  private toggle(id: string): void {
    if (!this.toggled.delete(id)) {
      this.toggled.add(id);
    }
    this.forget();
    this.signal.emit();
  }

  /** Lets go of the histories that nobody looks at. */
  private forget(): void {
    for (const [key, history] of this.histories) {
      if (!this.toggled.has(key) || this.model.tasks.find(key) === null) {
        history.dispose();
        this.histories.delete(key);
      }
    }
  }

  /** Takes filters away that hide a task. */
  private unfilter(key: string, kernelId: string | null): void {
    const { tasks, sessions } = this.model;
    const rows =
      kernelId === null
        ? tasks.visible
        : sessions.visible.find((session) => session.key === kernelId)?.tasks;
    if (!rows?.some((row) => row.key === key)) {
      this.model.filter();
    }
  }
}

export interface RevealOptions {
  /** Of a task that a kernel runs itself. */
  readonly kernelId?: string | null;
  readonly runId?: number | null;
}

function sectionId(section: SectionName): string {
  return `section ${section}`;
}

function runKey(key: string, runId: number): string {
  return `${key}#${runId}`;
}
