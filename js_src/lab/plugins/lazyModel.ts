/** The model with all that feeds it; a chunk of its own. */
import type { ServiceManager } from '@jupyterlab/services';
import { NBSessionApi } from '../api';
import { LabEvents, LabNotebooks } from '../events';
import { SidebarModel } from '../model';

export function makeModel(services: ServiceManager.IManager): SidebarModel {
  return new SidebarModel({
    api: new NBSessionApi(services.serverSettings),
    events: new LabEvents(services),
    notebooks: new LabNotebooks(services.sessions),
    page: document,
  });
}
