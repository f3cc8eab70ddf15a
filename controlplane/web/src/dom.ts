/** Builds elements by hand. Text is always text: nothing here parses HTML. */

type Child = Node | string | null | false;
type AttributeValue = string | number | boolean | null;

/**
 * Makes an element. `true` sets an empty attribute, `false` and `null` leave it out. There is no
 * way to set a `style` attribute: the Content-Security-Policy would refuse it.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, AttributeValue> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  for (const child of children) if (child !== null && child !== false) element.append(child);
  return element;
}

/** Sets or removes an attribute, touching the document only when something changes. */
export function setAttribute(element: Element, name: string, value: AttributeValue): void {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const wanted = value === true ? '' : String(value);
  if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/** Sets an element's text, touching the document only when it changes. */
export function setText(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

/** A listener for clicks that keeps the type of the element's handler short to write. */
export function onClick(element: HTMLElement, listener: () => void): void {
  element.addEventListener('click', () => listener());
}

let idCount = 0;

/** An id that is unique on this page, for labels and descriptions. */
export function uniqueId(prefix: string): string {
  idCount += 1;
  return `${prefix}-${idCount}`;
}
