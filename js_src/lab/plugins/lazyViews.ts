/** The views with their styles; a chunk of its own. */
import '../../style/base.css';

export { PanelState, SidebarPanel } from '../panel';
