/** The dialogs of the call. The browser's own `<dialog>` keeps the focus inside and closes on Esc. */
import { h, onClick, uniqueId } from '../dom';
import { icon } from '../icons';
import { text } from '../strings';
import { recallShortcutsOn, rememberShortcutsOn } from '../tab-memory';
import { DeviceFields, type DeviceSource } from './device-fields';

/** Opens the choice of devices; gives back a function that reads devices and tracks again. */
export function openDevices(source: DeviceSource): () => void {
  const fields = new DeviceFields(source);
  openDialog(text.devices.title, fields.element, () => fields.stop());
  void fields.update();
  return () => void fields.update();
}

/** Opens the list of shortcuts, where they can also be turned off (WCAG 2.1.4). */
export function openHelp(): void {
  const id = uniqueId('shortcuts');
  const enable = h('input', { type: 'checkbox', id, checked: recallShortcutsOn() });
  enable.addEventListener('change', () => rememberShortcutsOn(enable.checked));
  const rows = text.help.shortcuts.map(({ key, does }) =>
    h('tr', {}, h('th', { scope: 'row' }, h('kbd', {}, key)), h('td', {}, does)),
  );
  const body = h(
    'div',
    {},
    h('p', {}, text.help.intro),
    h('table', { class: 'shortcuts' }, h('tbody', {}, ...rows)),
    h('label', { class: 'check', for: id }, enable, text.help.enable),
  );
  openDialog(text.help.title, body, () => undefined);
}

function openDialog(title: string, body: HTMLElement, closed: () => void): void {
  const heading = h('h2', { id: uniqueId('dialog') }, title);
  const close = h(
    'button',
    {
      type: 'button',
      class: 'round plain',
      'aria-label': text.close,
      'data-testid': 'dialog-close',
    },
    icon('close'),
  );
  const dialog = h(
    'dialog',
    { 'aria-labelledby': heading.id },
    h('header', { class: 'dialog-head' }, heading, close),
    body,
  );
  onClick(close, () => dialog.close());
  dialog.addEventListener('click', (event) => {
    // A click on the backdrop is a click on the dialog itself, outside its content.
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => {
    closed();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}
