/** The views with their styles; a chunk of its own. */
export { PanelState, SidebarPanel } from '../panel';
