import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type ISignal, Signal } from '@lumino/signaling';
import type { TaskOrder } from '../model';
import { IPreferences } from './tokens';

/** Also the name of the file in schema/. */
const SETTINGS_ID = 'nbsession:sidebar';

/** The settings; what they are by default where there are none. */
class Preferences implements IPreferences {
  notifyOnFailure = true;
  showSessions = true;
  order: TaskOrder = 'name';

  private readonly signal = new Signal<this, void>(this);
  private settings: ISettingRegistry.ISettings | null = null;

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  async load(registry: ISettingRegistry): Promise<void> {
    this.settings = await registry.load(SETTINGS_ID);
    this.settings.changed.connect(this.read, this);
    this.read();
  }

  setOrder(order: TaskOrder): void {
    this.order = order;
    this.settings?.set('order', order).catch((error: unknown) => {
      console.warn('nbsession: the order could not be kept:', error);
    });
  }

  private read(): void {
    const { notifyOnFailure, showSessions, order } = this.settings?.composite ?? {};
    this.notifyOnFailure = notifyOnFailure !== false;
    this.showSessions = showSessions !== false;
    this.order = (order ?? 'name') as TaskOrder;
    this.signal.emit();
  }
}

export const preferences: JupyterFrontEndPlugin<IPreferences> = {
  id: 'nbsession:preferences',
  description: 'The settings of the sidebar.',
  autoStart: true,
  optional: [ISettingRegistry],
  provides: IPreferences,
  activate: (_, registry: ISettingRegistry | null) => {
    const provided = new Preferences();
    // The start of the page does not wait for it.
    registry
      ? provided.load(registry).catch((error: unknown) => {
          console.warn('nbsession: the settings could not be read:', error);
        })
      : undefined;
    return provided;
  },
};
