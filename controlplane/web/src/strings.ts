/**
 * Every word that the page shows or speaks. To translate the page, translate this file and set
 * `language`; nothing else holds text.
 */
import type { FailureCode } from './failures';

/** The words of one failure: what happened, and what to do about it. */
export interface FailureText {
  readonly title: string;
  readonly detail: string;
  readonly steps: readonly string[];
}

const failures: Record<FailureCode, FailureText> = {
  link_missing: {
    title: 'Open the link from your invitation',
    detail: 'This page needs the personal link that your clinic sent you.',
    steps: [
      'Go back to the message from your clinic and open the link in it.',
      'If the link is split over two lines, copy all of it into the address bar.',
    ],
  },
  link_expired: {
    title: 'This link has expired',
    detail: 'Links work for a limited time, to keep your consult private.',
    steps: ['Call your clinic and ask for a new link.'],
  },
  link_used: {
    title: 'This link has already been used',
    detail: 'Each link lets one person in, once.',
    steps: [
      'If you joined before on this device, in this browser, choose “Return to the consult”.',
      'Otherwise call your clinic and ask for a new link.',
    ],
  },
  link_unknown: {
    title: 'This link does not work',
    detail: 'It may be incomplete, or your clinic may have withdrawn it.',
    steps: [
      'Open the link again from the message that you received, and check that all of it is there.',
      'If that does not help, call your clinic and ask for a new link.',
    ],
  },
  session_ended: {
    title: 'Your visit has ended',
    detail: 'This browser no longer holds a place in the consult.',
    steps: ['If the consult should go on, call your clinic and ask for a new link.'],
  },
  rate_limited: {
    title: 'Too many attempts',
    detail: 'For safety, the server takes a short break after many attempts from one network.',
    steps: ['Wait one minute, then choose “Try again”.'],
  },
  server_unavailable: {
    title: 'The clinic’s server is not answering',
    detail: 'This is not your fault. Your link stays valid.',
    steps: ['Wait a moment, then choose “Try again”.', 'If it keeps happening, call your clinic.'],
  },
  offline: {
    title: 'You are offline',
    detail: 'Your device has no internet connection at the moment.',
    steps: [
      'Turn on Wi-Fi or mobile data, or move closer to your router.',
      'Then choose “Try again”.',
    ],
  },
  network_signal: {
    title: 'Your network blocks the connection',
    detail: 'The page opened, but the live connection (a WebSocket) did not.',
    steps: [
      'Turn off any VPN, proxy or content filter, then choose “Try again”.',
      'Or change to another network, for example mobile data.',
      'At work or in a hospital, ask IT to allow secure WebSockets (wss) to this site.',
    ],
  },
  network_media: {
    title: 'Your network blocks sound and picture',
    detail: 'You reached the consult, but media cannot pass: the network may block UDP.',
    steps: [
      'Change to another network, for example from guest Wi-Fi to mobile data.',
      'Turn off any VPN or firewall on this device, then choose “Try again”.',
      'At work or in a hospital, ask IT to allow WebRTC (UDP) to this site.',
    ],
  },
  connection_lost: {
    title: 'The connection was lost',
    detail: 'The page tried to reconnect, but could not.',
    steps: [
      'Check your internet connection.',
      'Then choose “Return to the consult”. Your place is kept.',
    ],
  },
  browser_unsupported: {
    title: 'This browser cannot make video calls',
    detail: 'It lacks WebRTC, or WebRTC is turned off.',
    steps: [
      'Open the same link in an up-to-date Chrome, Edge, Firefox or Safari.',
      'If you opened the link inside another app, use its “Open in browser” menu entry.',
    ],
  },
  insecure_page: {
    title: 'This page is not secure',
    detail: 'Browsers allow camera and microphone only on secure (https) pages.',
    steps: ['Open the link again exactly as you received it; it starts with https.'],
  },
  permission_denied: {
    title: 'The browser is not allowed to use your camera or microphone',
    detail: 'You can still join, but others will not see or hear you.',
    steps: [
      'Choose the camera or lock icon next to the address, and allow camera and microphone.',
      'On a phone, also check the system settings: privacy, camera, microphone, your browser.',
      'Then choose “Check again”.',
    ],
  },
  no_camera: {
    title: 'No camera was found',
    detail: 'You can join without one; others will hear you.',
    steps: ['Connect a camera, or open its privacy cover or switch.', 'Then choose “Check again”.'],
  },
  no_microphone: {
    title: 'No microphone was found',
    detail: 'You can join without one, and write in the chat.',
    steps: ['Connect a microphone or a headset.', 'Then choose “Check again”.'],
  },
  device_in_use: {
    title: 'The camera or microphone is busy',
    detail: 'Another program is using it, or the system has stopped it.',
    steps: [
      'Close other programs and browser tabs that use the camera or microphone.',
      'Then choose “Check again”.',
    ],
  },
  device_failed: {
    title: 'The camera or microphone did not start',
    detail: 'You can join without it, or choose another device.',
    steps: [
      'Unplug the device and plug it in again, or choose another one.',
      'Then choose “Check again”.',
    ],
  },
  publish_failed: {
    title: 'Others may not see or hear you',
    detail: 'Your camera or microphone works, but could not be sent.',
    steps: ['Turn the camera or the microphone off and on again.'],
  },
  share_failed: {
    title: 'Your screen could not be shared',
    detail: 'The browser or the system did not allow it.',
    steps: ['On a Mac, allow your browser in the system settings: privacy, screen recording.'],
  },
  removed: {
    title: 'You were removed from the consult',
    detail: 'The clinic has ended your part of this visit.',
    steps: ['If this was a mistake, call your clinic.'],
  },
  room_closed: {
    title: 'The consult has ended',
    detail: 'The clinic has closed the room. You can close this page.',
    steps: ['If something was left open, call your clinic.'],
  },
  joined_elsewhere: {
    title: 'You joined from another place',
    detail: 'The consult is now open in another tab or on another device.',
    steps: [
      'Go on over there; you can close this page.',
      'To use this one instead, choose “Return to the consult”.',
    ],
  },
  turned_away: {
    title: 'You were not let in',
    detail: 'The clinician cannot see you in this consult now.',
    steps: ['Call your clinic to ask when you can come back.'],
  },
  not_allowed: {
    title: 'The server did not let you in',
    detail: 'Your permission to join is not valid any more.',
    steps: ['Open your link again. If that does not help, call your clinic.'],
  },
  log_in_first: {
    title: 'You are not logged in',
    detail: 'Your session is over, or it is locked.',
    steps: ['Open the page of your consults and log in.'],
  },
  unexpected: {
    title: 'Something went wrong on this page',
    detail: 'This is our mistake, not yours.',
    steps: ['Choose “Try again”. If that does not help, reload the page, or call your clinic.'],
  },
};

export const text = {
  language: 'en',
  title: 'Video consult',
  noscript: 'This page needs JavaScript. Please turn it on, or open the link in another browser.',

  failures,
  retry: 'Try again',
  rejoin: 'Return to the consult',
  checkAgain: 'Check again',
  dismiss: 'Dismiss',
  close: 'Close',
  supportCode: (code: FailureCode) => `Code for support: ${code}`,

  opening: 'Opening your consult…',
  joining: 'Joining…',
  returning: 'Taking you back to your consult…',
  waitingRoom: 'Please wait: your clinician will let you in',
  waitingRoomHint: 'Keep this page open. Your camera and microphone are not sent to anybody yet.',
  allowDevices: 'If your browser asks for the camera and microphone, choose “Allow”.',

  prejoin: {
    title: 'Ready to join?',
    leadPatient:
      'Check how you look and sound. Your clinician sees and hears you only after you join.',
    leadClinician: 'Check how you look and sound before you join.',
    room: (label: string) => `Consult: ${label}`,
    joiningAs: (name: string) => `Joining as ${name}`,
    name: 'Your name',
    nameHintPatient: 'As your clinician knows you',
    nameHintClinician: 'As your patient should see it',
    nameMissing: 'Enter your name.',
    join: 'Join now',
    withBoth: 'You will join with camera and microphone.',
    withCamera: 'You will join with your camera, without a microphone.',
    withMicrophone: 'You will join with your microphone, without a camera.',
    withNothing: 'You will join without camera and microphone. You will see and hear the others.',
    joinWithoutDevices: 'Join without camera and microphone',
    askTitle: 'Camera and microphone',
    ask: 'Your browser will ask whether this page may use your camera and microphone. Choose “Allow”: nothing is sent before you join.',
    askButton: 'Turn on camera and microphone',
    asking: 'Starting camera and microphone… If your browser asks, choose “Allow”.',
    preview: 'Your camera',
    cameraOff: 'Camera is off',
    devices: 'Devices',
  },

  devices: {
    title: 'Camera, microphone, speaker',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    none: 'None found',
    unnamed: { camera: 'Camera', microphone: 'Microphone', speaker: 'Speaker' },
    systemDefault: 'System default',
    level: 'Microphone level',
    quiet: 'Say something: the bar should move.',
    heard: 'Your microphone works.',
    microphoneOff: 'The microphone is off.',
    testSpeaker: 'Play a test sound',
    testPlaying: 'Playing…',
  },

  call: {
    heading: (label: string) => `Consult: ${label}`,
    headingPlain: 'Consult',
    toolbar: 'Call controls',
    people: 'People in the consult',
    you: 'You',
    youNamed: (name: string) => `${name} (you)`,
    unnamed: { patient: 'Patient', clinician: 'Clinician', other: 'Guest' },
    screenOf: (name: string) => `${name}’s screen`,
    yourScreen: 'Your screen',
    emergency: 'A clinician entered in an emergency, without an invitation. It is recorded and reviewed.',
    waitingTitle: 'You are here',
    waiting: 'The others will appear as soon as they join.',
    more: (count: number) => (count === 1 ? '1 more person' : `${count} more people`),

    mute: 'Mute',
    unmute: 'Unmute',
    muteLabel: 'Mute microphone',
    unmuteLabel: 'Unmute microphone',
    cameraOff: 'Stop video',
    cameraOn: 'Start video',
    cameraOffLabel: 'Stop video, turn the camera off',
    cameraOnLabel: 'Start video, turn the camera on',
    share: 'Share',
    stopShare: 'Stop sharing',
    shareLabel: 'Share your screen',
    stopShareLabel: 'Stop sharing your screen',
    chat: 'Chat',
    chatLabel: (unread: number) => {
      if (unread === 0) return 'Chat';
      return unread === 1 ? 'Chat, 1 unread message' : `Chat, ${unread} unread messages`;
    },
    settings: 'Devices',
    settingsLabel: 'Devices: camera, microphone, speaker',
    help: 'Help',
    helpLabel: 'Help: keyboard shortcuts',
    leave: 'Leave',
    leaveLabel: 'Leave the consult',

    joined: (name: string) => `${name} joined.`,
    gone: (name: string) => `${name} left.`,
    nowMuted: 'Microphone muted.',
    nowUnmuted: 'Microphone on.',
    mutedByHost: 'The host muted your microphone.',
    nowCameraOn: 'Camera on.',
    nowCameraOff: 'Camera off.',
    nowSharing: 'You are sharing your screen.',
    stoppedSharing: 'You stopped sharing your screen.',
    otherSharing: (name: string) => `${name} is sharing a screen.`,

    recording: 'Recording',
    nowRecording: 'This consult is being recorded.',
    stoppedRecording: 'The recording has stopped.',

    resuming: 'Reconnecting… Sound and picture go on meanwhile.',
    restarting: 'Connection lost. Reconnecting… Please stay on this page.',
    reconnected: 'Connected again.',
    soundOn: 'Turn on sound',
  },

  tile: {
    muted: 'microphone off',
    speaking: 'speaking',
    paused: 'Your connection is weak: sound only for now',
    resumed: 'The picture is back',
    quality: {
      excellent: 'Good connection',
      good: 'Good connection',
      poor: 'Weak connection',
      lost: 'Connection lost',
    },
  },

  chat: {
    title: 'Chat',
    label: 'Chat messages',
    empty: 'No messages yet. Messages are gone when the consult ends.',
    placeholder: 'Write a message',
    input: 'Message',
    send: 'Send',
    close: 'Close chat',
    you: 'You',
    incoming: (name: string, body: string) => `Message from ${name}: ${body}`,
    failed: 'The message was not sent. Try again.',
  },

  help: {
    title: 'Keyboard shortcuts',
    intro: 'The shortcuts work when you are not typing.',
    enable: 'Use single-key shortcuts',
    shortcuts: [
      { key: 'M', does: 'Mute or unmute the microphone' },
      { key: 'V', does: 'Turn the camera on or off' },
      { key: 'C', does: 'Open or close the chat' },
      { key: '?', does: 'Open this list' },
      { key: 'Esc', does: 'Close a dialog or the chat' },
      { key: 'Tab', does: 'Go to the next button' },
    ],
  },

  clinic: {
    title: 'Your consults',
    loginTitle: 'Log in to your consults',
    loginDetail: 'Use the account of your organisation. A second factor is needed.',
    noLogin: 'This server has no log-in for clinicians. Use the personal link that you were given.',
    logIn: 'Log in',
    logOut: 'Log out',
    lock: 'Lock screen',
    consults: 'Open consults',
    none: 'You have no open consult.',
    unnamed: 'Consult',
    openTitle: 'Open a consult',
    label: 'What you call it (optional)',
    labelHint: 'Your patient sees it. Leave out names and reasons for the visit.',
    open: 'Open consult',
    opened: 'The consult is open. Invite your patient next.',
    join: 'Join',
    invite: 'Invite a patient',
    invited: 'A new link was made.',
    link: 'Link for one patient',
    linkOnce: 'It works once. Send it to nobody but your patient.',
    copy: 'Copy',
    copied: 'Copied. It works once; send it to nobody but your patient.',
    copyByHand: 'The browser did not allow copying: press Ctrl and C, or hold to copy.',
    end: 'End',
    ended: 'The consult has ended.',
    confirmEnd: 'End this consult for everybody in it?',
    people: (count: number) => {
      if (count === 0) return 'Nobody is in it.';
      return count === 1 ? '1 person is in it.' : `${count} people are in it.`;
    },
    waits: (name: string) => `${name} waits`,
    admit: 'Let in',
    turnAway: 'Turn away',
  },

  emergency: {
    title: 'Enter a consult in an emergency',
    notice:
      'Only where somebody’s health is at stake and nobody can invite you. Your entry and your ' +
      'reason are recorded, everybody in the consult sees that you came in this way, the entry ' +
      'ends by itself, and somebody else reviews it.',
    room: 'Name of the consult',
    roomHint: 'Your service desk has it: it is the room’s name, not the patient’s.',
    reason: 'Why',
    choose: 'Choose a reason',
    reasons: {
      threat_to_life: 'Threat to life',
      patient_unresponsive: 'The patient does not respond',
      no_clinician_present: 'No clinician is with the patient',
      technical_failure: 'The invited clinician’s equipment has failed',
      other: 'Another reason',
    },
    words: 'In your own words',
    wordsHint: 'Whoever reviews the entry reads this.',
    factors: 'Show both factors again first, then press the button once more.',
    logInAgain: 'Log in again',
    enter: 'Enter now',
  },

  lock: {
    title: 'Locked',
    detail: 'Nobody was here for a while, or you locked the screen. Log in again to go on.',
    callGoesOn: 'Your consult goes on: the others still hear and see you.',
    unlock: 'Log in to unlock',
    unlockedTitle: 'Unlocked',
    unlockedDetail: 'Go back to the window that was locked. You can close this one.',
  },

  left: {
    title: 'You have left the consult',
    detail: 'Your camera and microphone are off. You can close this page, or go back in.',
    rejoin: 'Rejoin',
    toConsults: 'Back to your consults',
  },
} as const;
