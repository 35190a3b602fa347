// Files and pictures that are pasted or dropped. They cannot be sent, and the page says so; a file that is dropped on a
// page is otherwise opened in its place, and the chat is gone.

import { toast } from './toast.js';
import { t } from './words.js';

const hasFiles = (transfer) => transfer !== null && [...transfer.types].includes('Files');

export function refuseFiles(box) {
  box.addEventListener('paste', (event) => {
    const { clipboardData: data } = event;
    if (!data || !(hasFiles(data) || data.files.length > 0)) return;
    const hasText = data.getData('text/plain') !== '';
    // The text that came with a picture is pasted as ever.
    if (!hasText) event.preventDefault();
    toast(t(hasText ? 'files_left_out' : 'files_refused'));
  });
  document.addEventListener('dragover', (event) => hasFiles(event.dataTransfer) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    toast(t('files_refused'));
  });
}
