import type { Trans } from '../format';
import type { NamedTask, SidebarModel } from '../model';

/** How each task is called among the others; no two alike, for one of them is chosen by its label. */
export function labelsOf(
  tasks: readonly NamedTask[],
  { sessions }: Pick<SidebarModel, 'sessions'>,
  trans: Trans,
): string[] {
  const labels = tasks.map(({ name, kernel_id }) => {
    const session = kernel_id === null ? null : sessions.find(kernel_id);
    return session ? trans.__('%1 (%2)', name, session.path ?? session.title) : name;
  });
  return tasks.map(({ kernel_id }, index) => {
    const label = labels[index] as string;
    const isAlone = labels.indexOf(label) === labels.lastIndexOf(label);
    return isAlone || kernel_id === null
      ? label
      : trans.__('%1 (%2)', label, kernel_id.slice(0, 8));
  });
}
