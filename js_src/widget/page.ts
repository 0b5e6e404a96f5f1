/**
 * The hidden page model: tells the kernel which pages show it, and where they are.
 *
 * anywidget calls `initialize` in every page that opens the kernel's notebook, without any view. What
 * it returns is called when the model goes.
 */
import { connect, type PageModel } from './connection';
import { whenMade } from './made';
import { receiveAlways } from './reception';

export default {
  initialize({ model }: { model: PageModel }): () => void {
    receiveAlways(model.widget_manager, model);
    return whenMade(model.widget_manager, window, () => connect(model, window));
  },
};
