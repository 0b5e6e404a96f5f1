import { LabIcon } from '@jupyterlab/ui-components';

/** A clock, in the colour that JupyterLab's theme gives icons. */
export const tasksIcon = new LabIcon({
  name: 'nbsession:tasks',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18.2a8.2 8.2
  0 1 1 0-16.4 8.2 8.2 0 0 1 0 16.4zM12.8 6.8h-1.7v5.9l4.9 3 .9-1.4-4.1-2.5z"/></svg>`,
});
