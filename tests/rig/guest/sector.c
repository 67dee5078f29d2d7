int sector_x;
