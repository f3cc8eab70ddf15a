/** Keeps the screen of a phone on while a call is visible. */

export class WakeLock {
  #sentinel: WakeLockSentinel | null = null;
  #wanted = false;

  constructor() {
    // The system takes the lock away whenever the page is hidden.
    document.addEventListener('visibilitychange', () => void this.#acquire());
  }

  hold(): void {
    this.#wanted = true;
    void this.#acquire();
  }

  release(): void {
    this.#wanted = false;
    void this.#sentinel?.release();
    this.#sentinel = null;
  }

  async #acquire(): Promise<void> {
    if (!this.#wanted || document.visibilityState !== 'visible') return;
    try {
      this.#sentinel = (await navigator.wakeLock?.request('screen')) ?? null;
    } catch {
      // Battery saving may refuse it; the call works without.
    }
  }
}
