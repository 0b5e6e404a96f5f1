/** The views of the sidebar, in React. Nothing here knows JupyterLab. */
export { PanelState, type RevealOptions } from './panelState';
export { SidebarPanel, type SidebarPanelProps } from './sidebarPanel';
