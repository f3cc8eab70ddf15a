/**
 * What one tab keeps across a reload, in `sessionStorage`: choices of devices and whether a call
 * was on. Never a name, a token or anything else about a person.
 */
import type { TabMemory } from './state';

export interface DeviceChoice {
  /** `null` means the system's default. */
  cameraId: string | null;
  microphoneId: string | null;
  speakerId: string | null;
  cameraOn: boolean;
  microphoneOn: boolean;
}

export function recallVisit(): TabMemory {
  const value = read(VISIT);
  return value === 'in_call' || value === 'left' ? value : null;
}

export function rememberVisit(value: TabMemory): void {
  write(VISIT, value);
}

export function recallDevices(): DeviceChoice {
  const fallback: DeviceChoice = {
    cameraId: null,
    microphoneId: null,
    speakerId: null,
    cameraOn: true,
    microphoneOn: true,
  };
  try {
    return { ...fallback, ...(JSON.parse(read(DEVICES) ?? '{}') as Partial<DeviceChoice>) };
  } catch {
    return fallback;
  }
}

export function rememberDevices(choice: DeviceChoice): void {
  write(DEVICES, JSON.stringify(choice));
}

export function recallShortcutsOn(): boolean {
  return read(SHORTCUTS) !== 'off';
}

export function rememberShortcutsOn(on: boolean): void {
  write(SHORTCUTS, on ? null : 'off');
}

const VISIT = 'bedside.visit';
const DEVICES = 'bedside.devices';
const SHORTCUTS = 'bedside.shortcuts';

// Storage can be forbidden by the browser's settings; the page works without it.
function read(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // Nothing is lost but the comfort of a remembered choice.
  }
}
